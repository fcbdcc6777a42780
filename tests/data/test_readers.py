"""Many files of records, and few of them open."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jssl.data.core.arrays import arrays
from jssl.data.core.readers import OPEN, THREADS, Readers
from jssl.data.core.sources import GrainSource
from jssl.data.own import packed


@pytest.fixture(scope='module')
def files(tmp_path_factory):
  """1,024 files of two records each."""
  from array_record.python.array_record_module import ArrayRecordWriter

  folder = tmp_path_factory.mktemp('shards')
  for i in range(1024):
    writer = ArrayRecordWriter(str(folder / f'{i:04d}'), 'group_size:1')
    for j in range(2):
      writer.write(f'{2 * i + j}'.encode())
    writer.close()
  return [(folder / f'{i:04d}', 0, 2) for i in range(1024)]


def held(folder) -> int:
  """How many files of a folder this process has open."""
  links = [f'/proc/self/fd/{name}' for name in os.listdir('/proc/self/fd')]
  return sum(os.path.exists(link) and os.readlink(link).startswith(str(folder)) for link in links)


def test_a_thousand_shards_are_read_with_few_files_open(files):
  readers, order = Readers(files), np.random.default_rng(0).permutation(2048)
  assert len(readers) == 2048 and not held(files[0][0].parent)
  for rows in np.split(order, 16):
    assert readers.__getitems__(rows) == [str(row).encode() for row in rows]
    assert held(files[0][0].parent) <= OPEN
  assert held(files[0][0].parent) == OPEN
  again = pickle.loads(pickle.dumps(readers))  # as a worker gets it
  assert again[7] == b'7' and held(files[0][0].parent) == OPEN + 1


def test_threads_share_the_files(files):
  readers, orders = Readers(files[:40], most=4), [np.random.default_rng(i).permutation(80) for i in range(8)]
  with ThreadPoolExecutor(8) as pool:
    found = list(pool.map(readers.__getitems__, orders))
  assert found == [[str(row).encode() for row in rows] for rows in orders]
  assert held(files[0][0].parent) <= OPEN + 1 + 4 + 8 * THREADS and len(readers._kept) == 4


def test_a_slice_of_a_file_and_what_is_not_there(files):
  readers = Readers([(files[0][0], 1, 1), (files[3][0], 0, None), (files[2][0], 0, 0)])
  assert readers.__getitems__([2, 0, 1]) == [b'7', b'1', b'6']
  with pytest.raises(IndexError, match='record 3 is out of range: there are 3'):
    readers[3]


def test_packed_data_of_many_shards_hold_few_files(tmp_path, monkeypatch):
  monkeypatch.setattr(packed, 'SHARD', 64)
  x = np.arange(600 * 16, dtype=np.int32).reshape(600, 16)
  packed.pack(arrays(x=x, held_out=0.1), tmp_path / 'packed')
  data = packed.packed(str(tmp_path / 'packed'))
  assert len(data.splits['train'].paths) == 540
  source = GrainSource(data.splits['train'], 60, memory=0, process_index=0, process_count=1)
  seen = np.concatenate([source.next()['x'] for _ in range(9)])
  assert len(np.unique(seen[:, 0])) == 540 and held(tmp_path) <= OPEN + THREADS
  source.close()
