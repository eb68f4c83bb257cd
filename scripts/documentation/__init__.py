"""The generated pages of the site in docs/, the manual page, and the check of the site's links."""
