"""The command line against servers of S3 and of Google Cloud Storage on this machine: pip install 'jssl[cloud]' 'moto[server]'
gcp-storage-emulator, which tests do without.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

from jssl import testing

pytestmark = pytest.mark.long
RUN = ['--protocol=knn', '--config.epochs=None', '--config.steps=200', '--config.checkpoint_every=20', '--config.log_every=5']
NEEDED = dict(s3=('moto', 's3fs'), gs=('gcp_storage_emulator', 'gcsfs'))


def port():
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    return free.getsockname()[1]


@pytest.fixture(scope='module', params=['s3', 'gs'])
def bucket(request, tmp_path_factory):
  """An address in a bucket, and the environment in which it is found."""
  if missing := [name for name in NEEDED[request.param] if find_spec(name) is None]:
    pytest.skip(f'{missing[0]} is not installed')
  at, folder = port(), os.path.dirname(sys.executable)
  url = f'http://127.0.0.1:{at}'
  env = dict(os.environ, JSSL_STORAGE_CACHE=str(tmp_path_factory.mktemp('cache')), XLA_FLAGS='', JAX_PLATFORMS='cpu')
  env |= dict(AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID='test', AWS_SECRET_ACCESS_KEY='test', AWS_REGION='us-east-1')
  env |= dict(AWS_DEFAULT_REGION='us-east-1', AWS_EC2_METADATA_DISABLED='true')
  env |= dict(STORAGE_EMULATOR_HOST=url, TENSORSTORE_GCS_HTTP_URL=url, GOOGLE_AUTH_TOKEN_FOR_TESTING='x', GOOGLE_CLOUD_PROJECT='test')
  command = {
    's3': [f'{folder}/moto_server', '-H', '127.0.0.1', '-p', str(at)],
    'gs': [f'{folder}/gcp-storage-emulator', 'start', '--host=127.0.0.1', f'--port={at}', '--in-memory', '--default-bucket=bucket'],
  }[request.param]
  server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
  try:
    for _ in range(200):
      with socket.socket() as probe:
        if not probe.connect_ex(('127.0.0.1', at)):
          break
      time.sleep(0.1)
    if request.param == 's3':
      code = "import fsspec; fsspec.filesystem('s3').mkdir('bucket')"
      subprocess.run([sys.executable, '-c', code], env=env, check=True)
    yield f'{request.param}://bucket', env
  finally:
    server.kill()


def jssl(env, *arguments, wait=True):
  run = subprocess.Popen([sys.executable, '-m', 'jssl', *map(str, arguments)], env=env, stderr=subprocess.PIPE, text=True)
  if wait:
    _, said = run.communicate(timeout=500)
    assert run.returncode == 0, said
  return run


def read(env, address):
  code = 'import sys; from jssl import storage; sys.stdout.write(storage.text(storage.path(sys.argv[1])))'
  return subprocess.run([sys.executable, '-c', code, address], env=env, capture_output=True, text=True).stdout


def steps(text):
  drop = testing.TIMES
  return [{name: x for name, x in json.loads(line).items() if name not in drop} for line in text.splitlines()]


def test_a_run_that_is_killed_goes_on_as_if_it_had_not_been(bucket, tmp_path):
  where, env = bucket
  run = jssl(env, 'train', 'simclr:tiny', f'--workdir={where}/w', *RUN, wait=False)
  while run.poll() is None and not read(env, f'{where}/w/checkpoints/60/commit_success.txt'):
    time.sleep(0.2)
  run.send_signal(signal.SIGKILL)
  run.wait()
  assert run.returncode == -signal.SIGKILL, run.stderr.read()
  assert max(row['step'] for row in steps(read(env, f'{where}/w/metrics.jsonl'))) >= 60
  jssl(env, 'train', 'simclr:tiny', f'--workdir={where}/w', *RUN)
  jssl(env, 'train', 'simclr:tiny', f'--workdir={tmp_path}/w', *RUN)
  assert steps(read(env, f'{where}/w/metrics.jsonl')) == steps((tmp_path / 'w' / 'metrics.jsonl').read_text())
  np.save(tmp_path / 'x.npy', np.random.default_rng(0).integers(0, 255, (5, 28, 28, 1), np.uint8))
  for of in ('w', 'w/model'):
    jssl(env, 'embed', f'{where}/{of}', tmp_path / 'x.npy', tmp_path / 'a.npy')
    jssl(env, 'embed', tmp_path / of, tmp_path / 'x.npy', tmp_path / 'b.npy')
    assert np.array_equal(np.load(tmp_path / 'a.npy'), np.load(tmp_path / 'b.npy'))


def test_two_processes_train_and_evaluate_on_packed_data_in_the_bucket(bucket):
  where, env = bucket
  jssl(env, 'data', 'pack', 'shapes', f'{where}/packed')
  at = port()
  given = [f'--data=packed:{where}/packed', f'--workdir={where}/two', *RUN, '--processes=2', f'--coordinator=127.0.0.1:{at}']
  both = [jssl(env, 'train', 'simclr:tiny', *given, f'--process={i}', wait=False) for i in range(2)]
  for run in both:
    _, said = run.communicate(timeout=500)
    assert run.returncode == 0, said
  assert json.loads(read(env, f'{where}/two/results.json'))['figures']['knn_top1'] > 0
  assert [row['step'] for row in steps(read(env, f'{where}/two/metrics.jsonl')) if 'loss' in row][-1] == 200
