"""Code of a user's own by its name: `FILE.py:NAME`, `MODULE:NAME`, or what an installed package offers.

    searchers = Plugins("searcher", "nasbench_ws.searchers", SearcherError, known=BUILT_IN)
    searchers.find("my.py:Mine")
    strategies.found("my.py:Clusters:5")             # the class Clusters, and its arguments (5,)

A file that is named is code, and is run as such. Whatever it does, it neither ends this program nor writes into its
answer: `users_code` is around every call of it. Not here: what is built in, and what a plugin has to be like.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, MappingProxyType, ModuleType
from typing import Any, NoReturn, TypeVar

from nasbench_ws.errors import NasbenchError, near_misses
from nasbench_ws.limits import bytes_of

T = TypeVar("T")
MOST_SOURCE = 2**24  # bytes of a file of Python


OURS = str(Path(__file__).parent)
STANDARD = os.path.realpath(os.path.dirname(os.__file__))  # the standard library's folder
PACKAGES = {"site-packages", "dist-packages"}


@functools.cache
def is_installed(place: str) -> bool:
    """Whether a file is of the standard library, of this package or of an installed one: these have versions."""
    if place.startswith("<") or not PACKAGES.isdisjoint(Path(place).parts):
        return True
    whole = os.path.realpath(place)
    inside = any(whole.startswith(root + os.sep) for root in (STANDARD, os.path.realpath(OURS)))
    return inside or not PACKAGES.isdisjoint(Path(whole).parts)


_end_at_once = os._exit


def _refused_exit(status: int) -> NoReturn:
    """In the place of os._exit, which would end this program without a word, and even with success."""
    raise SystemExit(f"os._exit({status})")


def _forked() -> None:
    """A process that a user's own code forks off may end as it likes."""
    os._exit = _end_at_once


os.register_at_fork(after_in_child=_forked)


class users_code:  # noqa: N801  # a class and no generator: it is around every call of a strategy's key
    """Around code of a user's own: what it prints goes to stderr, and os._exit raises SystemExit.

    For stdout is this program's answer, and how it ends is for this program to say.
    """

    __slots__ = ("_exit", "_own")

    def __enter__(self) -> None:
        self._own, self._exit = sys.stdout, os._exit
        sys.stdout, os._exit = sys.stderr, _refused_exit

    def __exit__(self, *_: object) -> None:
        sys.stdout, os._exit = self._own, self._exit


_read: dict[str, set[str]] = {}  # by the path of a user's file: what it read, and loaded, while it was run, or made


def read_by(path: Path) -> set[Path]:
    """Files that a user's file opened to read while it was run in this process, or made, and modules it loaded.

    Those that are opened in Python, as by open, pathlib, json, numpy and torch; not by the library of HDF5, and not
    what an installed library reads for itself while it is imported.
    """
    return set(map(Path, _read.get(os.path.realpath(path), ())))


@contextlib.contextmanager
def _noting(path: str | None) -> Iterator[None]:
    """Inside, what is read and loaded is noted for the file at `path`. None: of no file."""
    if path is None:
        yield
        return
    found, plain, before = _read.setdefault(os.path.realpath(path), set()), builtins.open, set(sys.modules)

    def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        handle = plain(file, mode, *arguments, **options)
        if isinstance(file, str | os.PathLike) and not set(mode) & set("wax+") and not _importing():
            found.add(os.path.abspath(file))
        return handle

    builtins.open = io.open = opened
    try:
        yield
    finally:
        builtins.open = io.open = plain
        loaded = (getattr(sys.modules.get(name), "__file__", None) for name in set(sys.modules) - before)
        found.update(filter(None, loaded))


def _importing() -> bool:
    """Whether an installed library is being imported: what it reads is not the user's."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and is_installed(frame.f_code.co_filename):
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def staying_here() -> Iterator[None]:
    """Around a user's code, which may go to another folder: what this command was given starts from where it was."""
    here = os.getcwd()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # it is gone
            os.chdir(here)


def raised(error: BaseException) -> str:
    """What was raised, and for an exit, which has no text to speak of, what to do about it."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, SystemExit):
        return f"{text} (put what parses arguments, or ends the program, under `if __name__ == '__main__':`)"
    return text


_at_hand: ContextVar[Mapping[str, Any]] = ContextVar("at_hand", default=MappingProxyType({}))


@contextlib.contextmanager
def at_hand(things: Mapping[str, Any]) -> Iterator[None]:
    """Inside, names stand for these things, whose files may be on another machine."""
    token = _at_hand.set(things)
    try:
        yield
    finally:
        _at_hand.reset(token)


def meant_here(name: str) -> Any:
    """What `at_hand` says that a name stands for; None where it says nothing."""
    return _at_hand.get().get(name)


def named(function: Callable[..., Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Of what is known, what a function has parameters for."""
    try:
        names = inspect.signature(function).parameters
    except (TypeError, ValueError):  # of a function that was not written in Python
        return {}
    return {name: value for name, value in known.items() if name in names}


def _number_or_text(text: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


@dataclass(frozen=True)
class Plugins:
    """One kind of plugin.

    Args:
        kind: its noun for messages, such as "strategy".
        group: the entry-point group that installed packages offer it under.
        error: what is raised.
        known: the names that are built in, for near misses.
        usages: how these are written, for the message of an unknown name.
        command: the command that lists them.
    """

    kind: str
    group: str
    error: type[NasbenchError]
    known: Iterable[str]
    usages: Iterable[str]
    command: str

    def whole_name(self, name: str) -> str:
        """`FILE.py` as `FILE.py:NAME`, where there is one public class in it, or no class and one function.

        This kind's error names them where there are several, or none, and says what is wrong with a file that is
        absent or no Python. Any other name is as it was. Runs nothing.
        """
        if not name.endswith(".py") or ":" in name:
            return name
        source = self._source(name)
        try:
            nodes = ast.parse(source).body
        except (SyntaxError, ValueError) as error:
            line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            said = error.msg if isinstance(error, SyntaxError) else str(error)
            raise self.error(f"{name} is no Python: {said}{line}; mend it, or name another file") from None
        classes = [one.name for one in nodes if isinstance(one, ast.ClassDef) and not one.name.startswith("_")]
        functions = [one.name for one in nodes if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")]
        found = classes or functions
        if len(found) != 1:
            several = f"has {', '.join(found)}" if found else "has no public class or function"
            raise self.error(f"{name} {several}; say which {self.kind} is meant, as {name}:{(found or ['NAME'])[0]}")
        return f"{name}:{found[0]}"

    def find(self, name: str) -> Any:
        """What `name` stands for, where it has no arguments."""
        return self._find(name, name)

    def found(self, name: str) -> tuple[Any, tuple[int | float | str, ...]]:
        """What `name` stands for, and its arguments, as numbers where they are."""
        plain, arguments = self._split(name)
        return self._find(plain, name), arguments

    def _find(self, name: str, whole: str) -> Any:
        here = meant_here(whole)
        if here is not None:
            return here
        for point in importlib.metadata.entry_points(group=self.group):
            if point.name == name:
                return self.run(point.load, f"the installed {self.kind} {name!r}")
        path, _, attribute = name.partition(":")
        if not attribute:
            files = [f"{name}.py"] if Path(f"{name}.py").is_file() else []
            raise self.error(
                f"unknown {self.kind} {name!r}{near_misses(name, (*self.known, *files))}; built in are "
                f"{', '.join(self.usages)}; your own is FILE.py:NAME or MODULE:NAME"
            )
        module = self._file(path) if path.endswith(".py") else self._module(path, whole)
        if not hasattr(module, attribute):
            public = [n for n, v in vars(module).items() if not n.startswith("_") and callable(v)]
            raise self.error(
                f"{path} has no {attribute!r}{near_misses(attribute, public)}; "
                f"it has {', '.join(public) or 'nothing public'}"
            )
        return getattr(module, attribute)

    def _split(self, name: str) -> tuple[str, tuple[int | float | str, ...]]:
        head, *rest = name.split(":")
        if not rest:
            return name, ()
        installed = {point.name for point in importlib.metadata.entry_points(group=self.group)}
        if name in installed:
            return name, ()
        own = 0 if head in installed else 1
        return ":".join((head, *rest[:own])), tuple(map(_number_or_text, rest[own:]))

    def make(self, name: str, found: Any, arguments: Sequence[int | float | str] = (), **known: Any) -> Any:
        """The object that a name means: what was found, or what it makes if it is a class, or there are arguments.

        Args:
            name: for messages.
            found: as `found` gives it.
            arguments: likewise.
            known: what it gets too, where its signature has a parameter of that name.
        """
        if not (isinstance(found, type) or arguments):
            return found
        if not callable(found):
            raise self.error(
                f"the {self.kind} {name!r} is of type {type(found).__name__}, which takes no arguments; name a class, "
                f"or leave out {':'.join(map(str, arguments))}"
            )
        of = getattr(sys.modules.get(getattr(found, "__module__", "")), "__file__", None)
        return self.run(lambda: found(*arguments, **named(found, known)), f"making the {self.kind} {name!r}", of)

    def run(self, load: Callable[[], T], what: str, path: str | None = None) -> T:
        """Run a user's code; what it raises becomes the cause of this kind's error, traceback and all.

        Args:
            load: the code.
            what: it is, for messages.
            path: of its file, for which is noted what it reads.
        """
        try:
            with users_code(), staying_here(), _noting(path):
                return load()
        except (NasbenchError, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit too: it would end this program without a word
            raise self.error(f"{what} raised {raised(error)}") from error

    def _file(self, path: str) -> ModuleType:
        file = Path(path)
        if not file.is_file():
            raise self.error(f"no {self.kind} file {path!r}; write FILE.py:NAME with the path of an existing file")
        self._source(path)
        module_name = f"_nasbench_ws_{self.kind}_{file.stem}"
        spec = importlib.util.spec_from_file_location(module_name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module  # so that dataclasses and pickling find it
        folder = os.path.dirname(os.path.realpath(file))
        if folder not in sys.path:
            sys.path.append(folder)  # so that it finds its neighbours, and hides nothing that is installed
        loader = spec.loader
        self.run(lambda: loader.exec_module(module), f"the {self.kind} file {path!r}", path)
        return module

    def _source(self, path: str) -> bytes:
        """Of a file that can be one: Python would read any size into memory."""
        return bytes_of(path, self.error, f"name the file of a {self.kind}", MOST_SOURCE)

    def _module(self, path: str, whole: str) -> ModuleType:
        try:
            with users_code(), staying_here():
                return importlib.import_module(path)
        except ModuleNotFoundError as error:
            if error.name is not None and (path == error.name or path.startswith(error.name + ".")):
                raise self.error(
                    f"unknown {self.kind} {whole!r}{near_misses(path, self.known)}: it is neither "
                    f"built in, nor is there a module {path!r}; see `{self.command}`"
                ) from None
            raise self.error(f"the module {path!r} raised {raised(error)}") from error
        except (NasbenchError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise self.error(f"the module {path!r} raised {raised(error)}") from error
