"""A folder of an S3-compatible object store, with the one guarantee that commits rest on.

A key that is put "if absent" is given to one of several writers. Answers can be lost: the request
is then sent again, and if the key is taken by now, its content says by whom.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tocsin.foundation.failure import Failure, Mistake

_MISSING = ("NoSuchKey", "NotFound")
_REFUSED = (
    *("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"),
    *("InvalidToken", "RequestTimeTooSkewed", "XAdminUserNotFound"),
)
# How often a request without a clear answer is sent, in addition to the client's own three times.
_TRIES = 3
_RACERS = 4
_TIMEOUT = 30
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9]{1,60})\s*</Code>")
_STATUS = re.compile(r"status code: (\d{3})")


@dataclass(frozen=True)
class Entry:
    """A key: its size in bytes, when it was written (seconds since 1970), and its content's tag."""

    key: str
    size: int
    written: float
    tag: str


class Unanswered(OSError):
    """A request whose outcome is not known."""


class Bucket:
    """A folder of a bucket. Keys are relative to it.

    It raises Mistake for refused credentials and a missing bucket, FileNotFoundError for a missing
    key, and OSError where the store gives no clear answer.
    """

    def __init__(self, address: str, settings: Mapping[str, Any]) -> None:
        """Prepare a connection; no request is sent.

        Args:
            address: such as s3://city-lake/air.
            settings: of `sandbox.STORE_SETTINGS`, with secrets resolved.

        Raises:
            Mistake: if the library is not installed, or a setting has a wrong form.
        """
        self.address = address.rstrip("/")
        self._obs = _library()
        self._name, _, prefix = address.partition("://")[2].partition("/")
        self.host = _host(settings)
        named = {name: settings[name] for name in ("endpoint", "region") if settings.get(name)}
        secret = {
            name: settings[name]
            for name in ("access_key_id", "secret_access_key", "session_token")
            if settings.get(name)
        }
        try:
            self._store = self._obs.store.S3Store(
                self._name,
                prefix=prefix.strip("/") or None,
                virtual_hosted_style_request=False,
                client_options=_client_options(settings),
                retry_config={
                    "max_retries": 3,
                    "retry_timeout": timedelta(seconds=60),
                    "backoff": {"max_backoff": timedelta(seconds=2)},
                },
                **{"region": "us-east-1", **named},
                **secret,
            )
        except Exception:  # noqa: BLE001 - its text could show a setting
            raise Mistake(f"the settings of the store of {self.address} are not valid") from None

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Write a key that does not exist; whether it has this content because of this call.

        The content must be unlike that of every other writer.

        Raises:
            OSError: if it is not known whether the key was written. It is never another error: a
                caller must not take the content for lost.
        """
        trouble = ""
        for attempt in range(_TRIES):
            try:
                self._put(key, content, "create")
            except self._obs.exceptions.AlreadyExistsError:
                # An earlier request of ours may have come through, although its answer was lost.
                return self._content_of_taken(key) == content
            except Exception as error:  # noqa: BLE001 - all are unclear
                trouble = self._why(error)
                time.sleep(0.2 * 2**attempt)
            else:
                return True
        raise Unanswered(f"the store {self.host} did not confirm a commit: {trouble}")

    def _content_of_taken(self, key: str) -> bytes:
        try:
            return self.get(key)
        except (OSError, Failure) as error:
            raise Unanswered(f"the store {self.host} did not confirm a commit: {error}") from None

    def put_file(self, key: str, file: Path) -> None:
        """Write a key with the content of a file, in one request, so that nothing is left over."""
        with self._errors():
            self._put(key, file.read_bytes(), "overwrite")

    def put(self, key: str, content: bytes) -> None:
        """Write a key, or replace its content."""
        with self._errors():
            self._put(key, content, "overwrite")

    def _put(self, key: str, content: bytes, mode: str) -> None:
        self._obs.put(self._store, key, content, mode=mode, use_multipart=False)

    def get(self, key: str) -> bytes:
        """The content of a key."""
        with self._errors(key):
            return bytes(self._obs.get(self._store, key).bytes())

    def end_of(self, key: str, size: int) -> bytes:
        """The last bytes of a key, fewer if it is shorter."""
        with self._errors(key):
            found = self._obs.get(self._store, key, options={"range": {"suffix": size}})
            return bytes(found.bytes())

    def get_all(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """The contents of keys, None for missing ones; several are requested at once."""
        with ThreadPoolExecutor(8) as pool:
            yield from pool.map(self._get_or_none, keys)

    def _get_or_none(self, key: str) -> tuple[str, bytes | None]:
        try:
            return key, self.get(key)
        except FileNotFoundError:
            return key, None

    def entries(self, prefix: str, after: str | None = None) -> Iterator[Entry]:
        """The keys in a folder and below. after: only keys that sort behind it."""
        with self._errors():
            for some in self._store.list(prefix=prefix, offset=after, chunk_size=1000):
                for one in some:
                    written = one["last_modified"].timestamp()
                    yield Entry(one["path"], one["size"], written, one["e_tag"] or "")

    def folders(self, prefix: str = "") -> list[str]:
        """The names of the folders in a folder."""
        with self._errors():
            found = self._store.list_with_delimiter(prefix=prefix or None)
        return [str(one).rstrip("/").rpartition("/")[2] for one in found["common_prefixes"]]

    def delete(self, keys: Iterable[str]) -> None:
        """Delete keys; missing ones are passed over."""
        listed = list(keys)
        for start in range(0, len(listed), 1000):
            with self._errors():
                self._obs.delete(self._store, listed[start : start + 1000])

    def probe(self, folder: str) -> None:
        """Check that a key can be written, and that only one of several writers of it succeeds.

        Raises:
            Mistake: for a store that ignores the condition of a put: commits of two writers would
                replace each other there.
        """
        key = f"{folder}/.probe.{secrets.token_hex(8)}"
        try:
            with ThreadPoolExecutor(_RACERS) as pool:
                won = list(pool.map(lambda number: self._wins(key, number), range(_RACERS)))
            late = self._wins(key, _RACERS)
        finally:
            self.delete([key])
        if sum(won) != 1 or late:
            raise Mistake(
                f"the store {self.host} lets several writers put one key, although each asked for "
                "a key that does not exist (If-None-Match); use a store that refuses all but one"
            )

    def _wins(self, key: str, number: int) -> bool:
        try:
            with self._errors():
                self._put(key, f"probe {number}".encode(), "create")
        except FileExistsError:
            return False
        return True

    @contextmanager
    def _errors(self, key: str = "") -> Iterator[None]:
        """Errors of the client as those of this class, without its text, which may show keys."""
        try:
            yield
        except (Failure, Unanswered):
            raise
        except self._obs.exceptions.AlreadyExistsError:
            raise FileExistsError(key) from None
        except (self._obs.exceptions.BaseError, OSError) as error:
            raise self._known(error, key) from None

    def _known(self, error: Exception, key: str) -> Exception:
        code = self._code(error)
        if code == "NoSuchBucket":
            return Mistake(f"the store {self.host} has no bucket '{self._name}'")
        if code in _REFUSED or isinstance(error, self._refusals()):
            why = f" ({code})" if code else ""
            return Mistake(f"the store {self.host} refuses the credentials for {self.address}{why}")
        if isinstance(error, FileNotFoundError) and (not code or code in _MISSING):
            return FileNotFoundError(2, "No such file or directory", f"{self.address}/{key}")
        return Unanswered(f"the store {self.host} failed: {self._why(error)}")

    def _refusals(self) -> tuple[type[Exception], ...]:
        known = self._obs.exceptions
        return known.PermissionDeniedError, known.UnauthenticatedError

    @staticmethod
    def _code(error: Exception) -> str:
        found = _CODE.search(str(error))
        return found.group(1) if found else ""

    def _why(self, error: Exception) -> str:
        text = str(error)
        code, status = self._code(error), _STATUS.search(text)
        if code or status:
            return f"it answered {code or (status.group(1) if status else '')}"
        return "it cannot be reached" if "Connect" in text else "it did not answer in time"


def _library() -> Any:
    try:
        import obstore
        import obstore.store
    except ImportError:
        raise Mistake(
            "lakes in object stores need the extra 's3': pip install 'tocsin[s3]'"
        ) from None
    return obstore


def _host(settings: Mapping[str, Any]) -> str:
    endpoint = settings.get("endpoint")
    if endpoint:
        return urlsplit(str(endpoint)).netloc
    return f"s3.{settings.get('region') or 'us-east-1'}.amazonaws.com"


def _client_options(settings: Mapping[str, Any]) -> dict[str, Any]:
    endpoint = str(settings.get("endpoint") or "")
    found: dict[str, Any] = {
        "allow_http": endpoint.startswith("http://"),
        "timeout": timedelta(seconds=int(settings.get("timeout") or _TIMEOUT)),
        "connect_timeout": timedelta(seconds=5),
    }
    authority = settings.get("ssl.ca.location")
    if authority:
        try:
            found["root_certificate"] = Path(str(authority)).read_bytes()
        except OSError as error:
            raise Mistake(f"the certificates {authority}: {error.strerror}") from None
    return found
