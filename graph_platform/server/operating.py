"""The pages for the operator's token: what is taken no more, databases that come and go, and their copies."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from graph_platform.errors import ErrorCode, PlatformError
from graph_platform.runtime.tokens import Role
from graph_platform.server.admission import Refused
from graph_platform.server.exchange import ROLE, body_of, json_response
from graph_platform.server.host import Host
from graph_platform.server.request import BODY_BYTES, read_checkpoint, read_drain


def operators_routes(host: Host) -> list[Route]:
    """The routes of these pages."""

    async def create(request: Request) -> Response:
        _check_operator(request)
        is_new = await host.databases.create(request.path_params["name"])
        return json_response({"created": is_new}, 201 if is_new else 200)

    async def drop(request: Request) -> Response:
        _check_operator(request)
        await host.databases.drop(request.path_params["name"])
        return json_response({"dropped": True})

    async def checkpoint(request: Request) -> Response:
        _check_operator(request)
        to = read_checkpoint(await body_of(request, BODY_BYTES))
        return json_response(await host.databases.checkpoint(request.path_params["name"], to))

    async def drain(request: Request) -> Response:
        _check_operator(request)
        what = Refused.NOTHING if request.method == "DELETE" else read_drain(await body_of(request, BODY_BYTES))
        return json_response(host.refuse(what))

    return [
        Route("/databases/{name}/checkpoint", checkpoint, methods=["POST"]),
        Route("/databases/{name}", create, methods=["PUT"]),
        Route("/databases/{name}", drop, methods=["DELETE"]),
        Route("/drain", drain, methods=["POST", "DELETE"]),
    ]


def _check_operator(request: Request) -> None:
    if request.scope[ROLE] is not Role.OPERATOR:
        raise PlatformError(ErrorCode.PERMISSION_DENIED, "this is for the operator's token")
