"""Files on this machine, by pathlib, and in buckets, gs://BUCKET/... and s3://BUCKET/..., by epath of etils.

A bucket supports neither rename nor append, and writes objects atomically. Files that must be complete are therefore written in one piece, or
locally first; files for libraries that only read local files are copied to this machine.
"""

import contextlib
import functools
import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jssl.errors import ConfigError, DataError

PACKAGES = {'gs': 'gcsfs', 's3': 's3fs'}  # scheme -> package with which fsspec reads it


def path(given: str | os.PathLike, home: bool = True) -> Path:
  """A local path, or an epath.Path for an address in a bucket.

  Args:
    given: a path, or an address as a string.
    home: whether `~` stands for the home directory.

  Raises:
    ConfigError: for another kind of address, or if the package that reads it is not installed.
  """
  text = os.fspath(given)
  found = re.match(r'(\w[\w+.-]*):/', text)
  if not found or '://' not in text and found[1] not in PACKAGES:
    try:
      return Path(text).expanduser() if home else Path(text)
    except RuntimeError as error:
      raise ConfigError(f'{text}: {error}; give the folder without ~') from error
  scheme = found[1]
  if not re.fullmatch(rf'({"|".join(PACKAGES)})://[^/*?\[\]]+(/[^*?\[\]]*)?', text):
    raise ConfigError(f'{text} is not a valid address; give a local path, or gs://BUCKET/... or s3://BUCKET/... as a string without *, ? and [')
  _prepare()
  import fsspec

  if importlib.util.find_spec(PACKAGES[scheme]) is None and scheme not in fsspec.registry:
    raise ConfigError(f"{text} needs {PACKAGES[scheme]}, which is not installed: pip install 'jssl[cloud]', or give a local path")
  from etils import epath

  return epath.Path(text)


@functools.cache
def _prepare() -> None:
  """Configures etils and fsspec for addresses."""
  import logging

  import fsspec

  os.environ.setdefault('EPATH_USE_TF', 'false')  # fsspec, whether or not TensorFlow is installed
  for protocol in ('gs', 'gcs', 's3'):  # other processes and TensorStore also write, which cached listings would not show
    fsspec.config.conf.setdefault(protocol, {})['use_listings_cache'] = False
  logging.getLogger('gcsfs').setLevel(logging.CRITICAL)  # its messages; the error itself reaches us as an exception


def in_bucket(given: str | os.PathLike) -> bool:
  """Whether the argument is an address in a bucket."""
  return str(given).startswith(tuple(f'{scheme}://' for scheme in PACKAGES))


def remote(at: Path) -> bool:
  """Whether a path is an address in a bucket."""
  return not isinstance(at, Path)


def absolute(given: str | os.PathLike) -> str:
  """An absolute path, or an address."""
  found = path(given)
  return str(found if remote(found) else found.absolute())


def reach(given: str | os.PathLike, home: bool = True) -> Path:
  """`path`, after a test access to the bucket of an address, so that errors are reported immediately.

  Raises:
    ConfigError: as for `path`, or if the bucket cannot be read.
  """
  found = path(given, home)
  try:
    if remote(found):
      exists(found)
  except OSError as error:
    raise ConfigError(str(error)) from error
  return found


def exists(at: Path) -> bool:
  """Whether a file or folder exists."""
  with _told(at):
    return at.exists()


def children(folder: Path) -> list[Path]:
  """The contents of a folder, sorted; empty if it does not exist."""
  if not remote(folder):
    return sorted(folder.iterdir()) if folder.is_dir() else []
  found, own = [], str(folder).partition('://')[2]
  with _told(folder), contextlib.suppress(FileNotFoundError):
    found = _files(folder).ls(str(folder), detail=False)
  return [folder / name for name in sorted({x.rstrip('/').rpartition('/')[2] for x in found if x.rstrip('/') != own})]


def make(folder: Path) -> None:
  """Creates a folder; in a bucket it exists once it has an object."""
  if not remote(folder):
    folder.mkdir(parents=True, exist_ok=True)


def text(at: Path) -> str:
  """The contents of a text file."""
  with _told(at):
    return at.read_text()


def replace(at: Path, text: str) -> None:
  """Replaces a file atomically: readers find the old text or the new one, even after a crash."""
  with written(at):
    if remote(at):
      _files(at).pipe_file(str(at), text.encode())
    else:
      part = at.with_name(f'{at.name}.part')
      part.write_text(text)
      os.replace(part, at)


def create(at: Path, text: str) -> None:
  """Creates a new file.

  In a bucket, a precondition makes the store refuse a second file. The file is read back, for stores without preconditions.

  Raises:
    FileExistsError: if it exists.
    OSError: if it cannot be written.
  """
  if remote(at):
    with _told(at):
      if at.exists():
        raise FileExistsError(at)
      with contextlib.suppress(FileExistsError):  # possibly our own file, if the response was lost and the library retried
        _files(at).pipe_file(str(at), text.encode(), mode='create')
      if at.read_bytes() != text.encode():
        raise FileExistsError(at)
    return
  file = at.open('x')
  try:
    with file:
      file.write(text)
  except OSError:  # a partial file would be taken for a complete one
    at.unlink()
    raise


def remove(at: Path) -> None:
  """Removes a file, or a folder with its contents, if it exists."""
  if remote(at):
    with _told(at), contextlib.suppress(FileNotFoundError):
      _files(at).rm(str(at), recursive=True)
  elif at.is_dir():
    shutil.rmtree(at)
  else:
    at.unlink(missing_ok=True)


def modified(at: Path) -> float:
  """The modification time of a file in seconds, by the clock of its storage."""
  if not remote(at):
    return at.stat().st_mtime
  with _told(at):
    return _files(at).modified(str(at)).timestamp()


@contextlib.contextmanager
def whole(at: Path) -> Iterator[Path]:
  """Yields a local path to write a file to, which replaces `at` once it is complete.

  Raises:
    OSError: if it cannot be written.
  """
  with contextlib.ExitStack() as closing:
    part = at.with_name(f'{at.name}.part')
    try:
      if remote(at):
        part = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix='jssl-'))) / at.name
        yield part
        with _told(at):
          _files(at).put_file(str(part), str(at))
      else:
        yield part
        os.replace(part, at)
    except OSError as error:
      part.unlink(missing_ok=True)
      raise OSError(f'{at} cannot be written ({error.strerror or error}); free space, or give another path') from error


def beside(folder: Path) -> Path:
  """A local path for a folder that `put` moves to `folder`."""
  if remote(folder):
    return Path(tempfile.mkdtemp(prefix='jssl-'))
  return folder.absolute().with_name(f'{folder.absolute().name}.part')


def put(part: Path, folder: Path, last: str) -> None:
  """Replaces a folder by one from `beside`. In a bucket, its file `last` is removed first and written last: its presence marks a complete
  folder.
  """
  if not remote(folder):
    if folder.exists():
      shutil.rmtree(folder)
    os.replace(part, folder)
    return
  remove(folder / last)
  remove(folder)
  with _told(folder):
    for file in sorted((x for x in part.rglob('*') if x.is_file()), key=lambda x: x.name == last):
      _files(folder).put_file(str(file), str(folder / file.relative_to(part).as_posix()))
  shutil.rmtree(part)


@contextlib.contextmanager
def fetched(at: Path, names: Iterable[str] = ()) -> Iterator[Path]:
  """A local copy of a file, or of the existing files `names` in a folder, for the duration of the context."""
  if not remote(at):
    yield at
    return
  with tempfile.TemporaryDirectory(prefix='jssl-') as folder:
    here = Path(folder) / at.name
    with _told(at):
      if names:
        here.mkdir()
        for name in {x.name for x in children(at)} & {*names}:
          _files(at).get_file(str(at / name), str(here / name))
      else:
        _files(at).get_file(str(at), str(here))
    yield here


def cache() -> Path:
  """The folder for copies of data in buckets: $JSSL_STORAGE_CACHE, or jssl/storage in the cache directory."""
  own = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  return Path(os.environ.get('JSSL_STORAGE_CACHE') or Path(own) / 'jssl' / 'storage').absolute()


def listed(at: Path) -> dict[str, tuple[int, int]]:
  """Address -> size and modification time in nanoseconds, of an object or of all objects in a folder."""
  with _told(at), contextlib.suppress(FileNotFoundError):
    scheme, found = f'{str(at).partition("://")[0]}://', _files(at).find(str(at), detail=True)
    times = {name: x.get('LastModified') or x.get('mtime') or x['updated'] for name, x in found.items() if not name.endswith('/')}
    return {scheme + name: (found[name]['size'], int(_seconds(time) * 1e6) * 1000) for name, time in times.items()}
  return {}


def _seconds(time: Any) -> float:
  if isinstance(time, str):
    from datetime import datetime

    time = datetime.fromisoformat(time)
  return time.timestamp()


def near(at: Path, names: Iterable[str] | None = None) -> Path:
  """A local path; for an address, that of a copy, which is made if it is missing or out of date.

  Args:
    at: a result of `reach`.
    names: the required files of a folder; None for all.

  Raises:
    DataError: if there is no space.
  """
  if not remote(at):
    return at
  objects = listed(at)
  if names is not None:
    wanted = {f'{at}/{name}' for name in names}
    objects = {address: facts for address, facts in objects.items() if address in wanted}
  stale = {address: facts for address, facts in objects.items() if not _same(mirror(address), facts)}
  try:
    _copy(at, stale)
  except OSError as error:
    raise DataError(f'{at} cannot be copied to {cache()} ({error}); free space, or set JSSL_STORAGE_CACHE to another folder') from error
  here = mirror(str(at))
  for old in here.rglob('*') if here.is_dir() and names is None else ():
    if old.is_file() and addresses([old])[0] not in objects:
      old.unlink()  # of an earlier version
  return here


def _copy(at: Path, objects: dict[str, tuple[int, int]]) -> None:
  """Copies objects, 64 at a time; each copy appears once it is complete."""
  cache().mkdir(parents=True, exist_ok=True)
  if (need := sum(size for size, _ in objects.values())) > (free := shutil.disk_usage(cache()).free):
    raise OSError(f'it takes {need} bytes, and {free} are free')
  with tempfile.TemporaryDirectory(prefix='.part.', dir=cache()) as folder, _told(at):
    for first in range(0, len(objects), 64):
      some = sorted(objects)[first : first + 64]
      parts = [os.path.join(folder, str(i)) for i in range(len(some))]
      _files(at).get(some, parts)
      for address, part in zip(some, parts, strict=True):
        here = mirror(address)
        here.parent.mkdir(parents=True, exist_ok=True)
        os.utime(part, ns=(objects[address][1],) * 2)  # identifies the version of a copy, equally on all machines
        os.replace(part, here)


def matching(pattern: str) -> list[Path]:
  """The addresses of the objects that match a pattern, sorted."""
  fixed = re.split(r'[*?\[]', pattern, maxsplit=1)[0].rpartition('/')[0]
  at, scheme = reach(fixed), pattern.partition('://')[0]
  with _told(at):
    return [path(f'{scheme}://{name}') for name in sorted(_files(at).glob(pattern))]


def mirror(address: str) -> Path:
  """The path of the copy of an address.

  Raises:
    DataError: if the path would be outside the folder for copies.
  """
  scheme, _, rest = address.partition('://')
  if {'', '.', '..'} & {*rest.split('/')}:
    raise DataError(f'{address} has a part that is not a file name; rename the object, or leave it out')
  return cache() / scheme / rest


def addresses(paths: Iterable[str | os.PathLike]) -> list[str]:
  """The addresses that local paths are copies of; other paths are returned unchanged."""
  root = f'{cache()}{os.sep}'
  told = lambda text: '://'.join(text[len(root) :].replace(os.sep, '/').split('/', 1)) if text.startswith(root) else text
  return [told(os.fspath(x)) for x in paths]


def _same(here: Path, facts: tuple[int, int]) -> bool:
  with contextlib.suppress(OSError):
    return ((told := here.stat()).st_size, told.st_mtime_ns) == facts
  return False


def for_orbax(directory: Path) -> Path:
  """A path in the form for Orbax: absolute, or an address, to which it writes with TensorStore."""
  if not remote(directory):
    return directory.absolute()
  if str(directory).startswith('s3://'):
    _teach_orbax()
  return directory


def saved(folder: Path) -> bool:
  """Whether Orbax has completed a folder; in a bucket a marker file says so, elsewhere the folder's name."""
  with _told(folder):
    return (folder / 'commit_success.txt' if remote(folder) else folder).exists()


@functools.cache
def _teach_orbax() -> None:
  """Makes Orbax, which only supports gs://, treat s3:// in the same way: with TensorStore's driver and a marker file for complete folders.

  Raises:
    ConfigError: if this version of Orbax is not supported.
  """
  from orbax.checkpoint._src.path import gcs_utils
  from orbax.checkpoint._src.serialization import tensorstore_utils

  parts = ((gcs_utils, '_GCS_PATH_PREFIX'), (gcs_utils, 'get_kvstore_for_gcs'))
  parts += ((tensorstore_utils, '_use_gcs_driver'), (tensorstore_utils, '_normalize_path'))
  if missing := [name for module, name in parts if not hasattr(module, name)]:
    raise ConfigError(f'checkpoints in s3:// need orbax-checkpoint 0.12, and this version has no {missing[0]}; install it, or use gs://')
  of_gcs, s3 = gcs_utils.get_kvstore_for_gcs, re.compile(r'^s3:/+')

  def store(directory: str) -> dict[str, Any]:
    if not directory.startswith('s3://'):
      return of_gcs(directory)
    bucket, _, key = directory[5:].partition('/')
    env = os.environ.get
    region, endpoint = env('AWS_REGION') or env('AWS_DEFAULT_REGION'), env('AWS_ENDPOINT_URL_S3') or env('AWS_ENDPOINT_URL')
    given = dict(aws_region=region, endpoint=endpoint, aws_credentials=dict(type='environment') if env('AWS_ACCESS_KEY_ID') else None)
    return dict(driver='s3', bucket=bucket, path=key, **{name: x for name, x in given.items() if x})

  normal = tensorstore_utils._normalize_path
  gcs_utils._GCS_PATH_PREFIX = ('gs://', 's3://')
  gcs_utils.get_kvstore_for_gcs = store
  tensorstore_utils._use_gcs_driver = lambda directory: directory.startswith(('gs://', 's3://'))
  tensorstore_utils._normalize_path = lambda directory: s3.sub('s3://', normal(directory))


@contextlib.contextmanager
def written(at: Path) -> Iterator[None]:
  """Adds advice to errors of writing into a run's workdir."""
  try:
    with _told(at):
      yield
  except OSError as error:
    raise OSError(f'{at} cannot be written ({error.strerror or error}); free space, or give a writable workdir') from error


@contextlib.contextmanager
def _told(at: Path) -> Iterator[None]:
  """Converts errors of the libraries that read buckets, which have many types, to OSError."""
  try:
    yield
  except Exception as error:
    if not remote(at) or isinstance(error, FileNotFoundError | FileExistsError):
      raise
    told = ' '.join(str(error).split())[:200] or type(error).__name__
    raise OSError(f'{at} cannot be reached: {told}') from error


def _files(at: Path) -> Any:
  """The file system of an address."""
  import fsspec

  return fsspec.filesystem(str(at).partition('://')[0])
