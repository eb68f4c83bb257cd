"""A bucket for tests: what is in it, and what was asked of its server."""

from itertools import count

import boto3
import numpy as np

from edgekit.io.encoding import encode


class Bucket:
    """A bucket, by boto3; and the server that has it."""

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
        self.faulty.asked.clear()

    def signed(self, key):
        return self.client.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": key})

    def asked(self, method, key=None):
        """How often objects, or one, were asked for."""
        return sum(
            times for (m, path), times in self.faulty.asked.items()
            if m == method and not path.endswith("?list") and key in (None, path.removeprefix(f"/{self.bucket}/"))
        )  # fmt: skip


def photo(seed):
    return encode(np.random.default_rng(seed).integers(0, 256, (64, 80), np.uint8), ".png")
