"""A store of objects in memory: over HTTP as S3 for TensorStore, and as fsspec's file system of s3:// for everything else."""

import hashlib
import io
import re
import threading
import time
from datetime import UTC, datetime
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from fsspec.spec import AbstractFileSystem

OBJECTS: dict[str, tuple[bytes, float]] = {}  # 'bucket/key' -> contents, and when they were written
BUCKETS = {'bucket'}


class Files(AbstractFileSystem):
  """What s3fs does, as far as it is used."""

  protocol = 's3'
  cachable = False
  knows_preconditions = True

  @classmethod
  def _strip_protocol(cls, path):
    return path.removeprefix('s3://').rstrip('/')

  def info(self, path, **_):
    path = self._strip_protocol(path)
    if path in OBJECTS:
      data, at = OBJECTS[path]
      return dict(name=path, size=len(data), type='file', LastModified=datetime.fromtimestamp(at, UTC))
    if path in BUCKETS or any(name.startswith(f'{path}/') for name in OBJECTS):
      return dict(name=path, size=0, type='directory')
    raise FileNotFoundError(path)

  def ls(self, path, detail=True, **_):
    path = self._strip_protocol(path)
    names = {path} if path in OBJECTS else {'/'.join(x.split('/')[: path.count('/') + 2]) for x in OBJECTS if x.startswith(f'{path}/')}
    if not names and path not in BUCKETS:
      raise FileNotFoundError(path)
    return [self.info(name) if detail else name for name in sorted(names)]

  def modified(self, path):
    return self.info(path)['LastModified']

  def pipe_file(self, path, value, mode='overwrite', **_):
    path = self._strip_protocol(path)
    if path.split('/')[0] not in BUCKETS:
      raise FileNotFoundError('The specified bucket does not exist')
    if mode == 'create' and path in OBJECTS and self.knows_preconditions:
      raise FileExistsError(path)
    OBJECTS[path] = bytes(value), time.time()

  def _open(self, path, mode='rb', **_):
    if 'r' in mode:
      if path not in OBJECTS:
        raise FileNotFoundError(path)
      return io.BytesIO(OBJECTS[path][0])
    files = self

    class Written(io.BytesIO):
      def close(self):
        if not self.closed:
          files.pipe_file(path, self.getvalue())
        super().close()

    return Written()

  def rm_file(self, path):
    del OBJECTS[self._strip_protocol(path)]

  def rm(self, path, recursive=False, **_):
    path = self._strip_protocol(path)
    gone = [name for name in OBJECTS if name == path or recursive and name.startswith(f'{path}/')]
    if not gone:
      raise FileNotFoundError(path)
    for name in gone:
      del OBJECTS[name]

  def mkdir(self, path, **_):
    pass

  def makedirs(self, path, exist_ok=False):
    pass


class Handler(BaseHTTPRequestHandler):
  """The part of S3 that TensorStore's driver asks for."""

  protocol_version = 'HTTP/1.1'

  def log_message(self, *_):
    pass

  def answer(self, status, body=b'', **headers):
    self.send_response(status)
    for name, value in {'Content-Length': str(len(body)), **headers}.items():
      self.send_header(name.replace('_', '-'), value)
    self.end_headers()
    if self.command != 'HEAD':
      self.wfile.write(body)

  def name(self):
    return unquote(urlsplit(self.path).path).strip('/')

  def do_GET(self):
    asked = parse_qs(urlsplit(self.path).query)
    if 'list-type' in asked:
      prefix, bucket = asked.get('prefix', [''])[0], self.name()
      keys = [name.partition('/')[2] for name in sorted(OBJECTS) if name.startswith(f'{bucket}/{prefix}')]
      found = ''.join(f'<Contents><Key>{key}</Key><Size>{len(OBJECTS[f"{bucket}/{key}"][0])}</Size></Contents>' for key in keys)
      text = f'<ListBucketResult><KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>{found}</ListBucketResult>'
      return self.answer(200, text.encode())
    if self.name() in BUCKETS:
      return self.answer(200)
    if (held := OBJECTS.get(self.name())) is None:
      return self.answer(404)
    data, at = held
    facts = dict(ETag=etag(data), Last_Modified=formatdate(at, usegmt=True))
    if of := re.fullmatch(r'bytes=(\d+)-(\d*)', self.headers.get('Range', '')):
      first, last = int(of[1]), min(int(of[2] or len(data)), len(data) - 1)
      return self.answer(206, data[first : last + 1], Content_Range=f'bytes {first}-{last}/{len(data)}', **facts)
    return self.answer(200, data, **facts)

  do_HEAD = do_GET

  def do_PUT(self):
    data = self.rfile.read(int(self.headers['Content-Length']))
    held = OBJECTS.get(self.name())
    wanted = self.headers.get('If-Match')
    if self.headers.get('If-None-Match') and held or wanted and (held is None or etag(held[0]) != wanted):
      return self.answer(412)
    OBJECTS[self.name()] = data, time.time()
    self.answer(200, ETag=etag(data))

  def do_DELETE(self):
    OBJECTS.pop(self.name(), None)
    self.answer(204)


def etag(data):
  return f'"{hashlib.md5(data).hexdigest()}"'


def serve():
  """A server of the store on a free port."""
  server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
  threading.Thread(target=server.serve_forever, daemon=True).start()
  return server
