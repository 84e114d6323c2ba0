"""OTLP over gRPC, port 4317: the same requests through the same parsers.

Needs the extra ``tollbook[grpc]``; nobody imports this module unless gRPC was asked for.
The three ``Export`` methods share the door, the intake and the limits of the server::

    server = await listen("127.0.0.1:4317", services, door, journal)
    await server.stop(grace)

Transient trouble is UNAVAILABLE with a ``RetryInfo``, which exporters wait for; a key
that is not valid is UNAUTHENTICATED, one that may not report is PERMISSION_DENIED.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn
from urllib.parse import unquote

import grpc
import grpc.aio

from tollbook.core.errors import BusyError, StoreError
from tollbook.formats.otlp import BadBytesError, TooManyError
from tollbook.formats.otlp_signals import SIGNALS, Encoding, Signal, answer, retry_info
from tollbook.http.door import Door, origin_of
from tollbook.http.exchange import RefusedError, Services
from tollbook.http.journal import Journal
from tollbook.http.otlp import BODY_MAX, take_in

RETRY_SECONDS = 2
CALLS_MAX = 256
"""How many requests are answered at once; more are told to come back."""

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
_AWAY = "the ledger cannot be used for now; nothing was lost, send it again"

Context = grpc.aio.ServicerContext[bytes, bytes]
Export = Callable[[bytes, Context], Awaitable[bytes]]


async def listen(
    address: str, services: Services, door: Door, journal: Journal
) -> grpc.aio.Server:
    """Start answering at an address, e.g. ``127.0.0.1:4317``.

    Raises:
        RuntimeError: The address cannot be used.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", BODY_MAX),
            ("grpc.max_metadata_size", 16 << 10),
            ("grpc.so_reuseport", 0),  # a taken port is an error, not a shared one
        ],
        maximum_concurrent_rpcs=CALLS_MAX,
    )
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                signal.service,
                {
                    "Export": grpc.unary_unary_rpc_method_handler(
                        _export(signal, services, door, journal)
                    )
                },
            )
            for signal in SIGNALS
        ]
    )
    server.add_insecure_port(address)
    await server.start()
    return server


def _export(signal: Signal, services: Services, door: Door, journal: Journal) -> Export:
    async def export(body: bytes, context: Context) -> bytes:
        try:
            key = door.enter(_headers(context), _peer(context.peer()), "ingest")
            heard = await take_in(
                signal,
                body,
                Encoding.PROTOBUF,
                caller=(key, origin_of(key)),
                services=services,
            )
        except BadBytesError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except TooManyError as error:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        except RefusedError as error:
            await _refuse(context, error)
        except BusyError as error:
            await _refuse(context, RefusedError(503, "busy", str(error)))
        except StoreError:
            await _refuse(context, RefusedError(503, "store_unavailable", _AWAY))
        except Exception as error:  # noqa: BLE001  # the client must come again
            journal.unforeseen(error)
            await _refuse(context, RefusedError(503, "unforeseen", _AWAY))
        return answer(signal, Encoding.PROTOBUF, heard)

    return export


async def _refuse(context: Context, error: RefusedError) -> NoReturn:
    code = _CODES.get(error.status, grpc.StatusCode.UNKNOWN)
    wait = dict(error.headers).get("Retry-After", str(RETRY_SECONDS))
    trailing: tuple[tuple[str, bytes], ...] = ()
    if error.status in (429, 503):
        detail = retry_info(code.value[0], error.message, int(wait))
        trailing = (("grpc-status-details-bin", detail),)
    await context.abort(code, error.message, trailing)


def _headers(context: Context) -> dict[str, str]:
    """The call's metadata as header lines; what is binary is none."""
    found = context.invocation_metadata() or ()
    return {name: value for name, value in found if isinstance(value, str)}


def _peer(name: str) -> str:
    """The address in ``ipv4:127.0.0.1:5000`` or ``ipv6:%5B::1%5D:5000``."""
    host = unquote(name).partition(":")[2].rpartition(":")[0]
    return host.strip("[]")
