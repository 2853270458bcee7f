"""Errors with TensorFlow's codes, which both interfaces translate as TensorFlow Serving does."""

from components.image_example_gen.images.damage import ImageError

# tensorflow/serving, model_servers/http_rest_api_handler and util/net_http: what a code is over HTTP.
HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

INTERNAL_ERROR = "internal error, see the server's log"


class ServingError(Exception):
    """What a client is answered instead of a prediction.

    Attributes:
        code: one of `HTTP_STATUS`, as gRPC names it.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code

    @property
    def http_status(self) -> int:
        """Of the REST interface."""
        return HTTP_STATUS[self.code]


class TooLarge(ServingError):
    """A request is larger than the server takes."""

    def __init__(self, most_bytes: int):
        super().__init__("RESOURCE_EXHAUSTED", f"the request is larger than {most_bytes / 1024**2:g} MiB")

    @property
    def http_status(self) -> int:
        """As HTTP says it; gRPC has no code of its own."""
        return 413


def invalid(message: str) -> ServingError:
    """The client's request cannot be answered as it is."""
    return ServingError("INVALID_ARGUMENT", message)


def broken_image(number: int, error: ImageError) -> ServingError:
    """An image of a request cannot be read."""
    return invalid(f"image {number}: {error.reason}: {error}")
