"""The way to Kubeflow Pipelines' API: where it is, who asks, and what went wrong in one line."""

import contextlib
import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.kubeflow.errors import KubeflowError

if TYPE_CHECKING:
    import kfp
    import kfp_server_api

ENDPOINT_VARIABLE = "KF_PIPELINES_ENDPOINT"  # kfp.Client's own
TOKEN_VARIABLE = "KF_PIPELINES_TOKEN"
HEALTH_PATH = "/apis/v2beta1/healthz"
SECONDS = 10
RENEW_TOKEN = f"renew the token in {TOKEN_VARIABLE}, or log in again"


def connect(endpoint: str | None, namespace: str = "kubeflow", iap_client_id: str = "") -> "kfp.Client":
    """A client of the API at `endpoint`, that of `KF_PIPELINES_ENDPOINT` if it is empty.

    Args:
      endpoint: URL, such as http://localhost:8888.
      namespace: the user's, on a Kubeflow with several users.
      iap_client_id: of Google's Identity-Aware Proxy, where it guards the endpoint.

    Raises:
      KubeflowError: nobody is there, or the token is not accepted.
    """
    endpoint = endpoint or os.environ.get(ENDPOINT_VARIABLE)
    if not endpoint:
        raise KubeflowError(
            f"no endpoint of Kubeflow Pipelines: name it with --endpoint URL, in {ENDPOINT_VARIABLE}, or as "
            "runners.kubeflow.endpoint in pipeline.yaml"
        )
    endpoint = endpoint.rstrip("/") if "://" in endpoint else f"https://{endpoint}".rstrip("/")
    token = os.environ.get(TOKEN_VARIABLE)
    if not iap_client_id:
        # kfp.Client asks five times, five seconds apart, and then tells in many lines that nobody answered.
        _look(endpoint, token)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that it needs KFP 2, at every start
        import kfp

        with explained(endpoint):
            return kfp.Client(host=endpoint, namespace=namespace, client_id=iap_client_id or None, existing_token=token)


def _look(endpoint: str, token: str | None) -> None:
    import urllib3

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = urllib3.request(
            "GET", endpoint + HEALTH_PATH, headers=headers, timeout=SECONDS, retries=False, redirect=False
        )
    except urllib3.exceptions.HTTPError as error:
        raise KubeflowError(f"nobody answers at {endpoint}: {error}; correct the endpoint") from error
    if answer.status in (401, 403):
        raise KubeflowError(f"{endpoint} refused the token ({answer.status}); {RENEW_TOKEN}")
    if answer.status in (301, 302, 303, 307, 308):
        raise KubeflowError(f"{endpoint} sends to a login page instead of answering; {RENEW_TOKEN}")
    try:
        healthy = answer.status == 200 and isinstance(answer.json(), dict)
    except ValueError:
        healthy = False
    if not healthy:
        raise KubeflowError(
            f"{endpoint} is not Kubeflow Pipelines 2: got {answer.status} for {HEALTH_PATH}, expected 200 and JSON; "
            "correct the endpoint"
        )


@contextlib.contextmanager
def explained(endpoint: str, clash: str = "") -> Iterator[None]:
    """Turns what the API answers to a failed call into one line; `clash` is that for a name that is taken."""
    import kfp_server_api
    import urllib3

    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of each retry
    try:
        yield
    except kfp_server_api.ApiException as error:
        raise KubeflowError(_explain(error, endpoint, clash)) from error
    except urllib3.exceptions.HTTPError as error:
        raise KubeflowError(f"{endpoint} does not answer any more: {error}") from error


def _explain(error: "kfp_server_api.ApiException", endpoint: str, clash: str) -> str:
    message = _message(error.body)
    taken = error.status == 409 or "already exist" in message.lower()
    if taken and clash:
        return clash
    if error.status in (401, 403):
        return f"{endpoint} refused the request ({error.status}): {message}; {RENEW_TOKEN}"
    return f"{endpoint} answered {error.status}: {message or error.reason}"


def _message(body: str | bytes | None) -> str:
    """The first line of what the server says; it packs its messages in JSON of two shapes."""
    try:
        said = json.loads(body or "{}")
    except ValueError:
        said = {}
    text = next((str(said[key]) for key in ("error_message", "message", "error") if said.get(key)), "")
    return " ".join(text.split())
