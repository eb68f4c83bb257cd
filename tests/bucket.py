"""An S3 bucket for tests, and the number of requests to its server."""

from itertools import count

import boto3
import numpy as np

from edgekit.io.encoding import encode


class Bucket:
    """A bucket, accessed by boto3, and its server."""

    numbers = count()

    def __init__(self, address, faulty):
        self.address, self.faulty = address, faulty
        self.client = boto3.client("s3")
        self.bucket = f"bucket-{next(self.numbers)}"
        self.client.create_bucket(Bucket=self.bucket)
        self.url = f"s3://{self.bucket}"

    def put(self, key, data):
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def get(self, key):
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def names(self):
        return {o["Key"] for o in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())}

    def photos(self, number, folder="photos"):
        for n in range(number):
            self.put(f"{folder}/{n}.png", photo(n))
        self.faulty.requests.clear()

    def signed(self, key):
        return self.client.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": key})

    def requests(self, method, key=None):
        """Return the number of requests for all objects, or for one."""
        return sum(
            times for (m, path), times in self.faulty.requests.items()
            if m == method and not path.endswith("?list") and key in (None, path.removeprefix(f"/{self.bucket}/"))
        )  # fmt: skip


def photo(seed):
    return encode(np.random.default_rng(seed).integers(0, 256, (64, 80), np.uint8), ".png")
