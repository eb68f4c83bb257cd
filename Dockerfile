# The command line of edgekit, without desktop libraries:
#   docker build -t edgekit .
#   docker run --rm -v "$PWD:/work" edgekit score photos/ --move-blurred blurred/
FROM python:3.13-slim

COPY pyproject.toml README.md LICENSE /src/
COPY edgekit /src/edgekit
# The wheel of opencv-python needs the libraries of a desktop; opencv-python-headless has the same module without them.
RUN pip install --no-cache-dir "/src[video,report,parquet,heif,raw,formats]" \
    && pip uninstall --yes opencv-python \
    && pip install --no-cache-dir "opencv-python-headless>=4.11" \
    && rm -r /src

WORKDIR /work
ENTRYPOINT ["edgekit"]
CMD ["--help"]
