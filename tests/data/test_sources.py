import itertools
import time

import jax
import numpy as np
import pytest

from jssl.data import GrainSource, digits, permutation, to_device


class Listed:
  """A split known only by its length and its items."""

  def __init__(self, n):
    self.n = n

  def __len__(self):
    return self.n

  def __getitem__(self, i):
    return dict(image=np.full((4, 4, 1), i, np.uint8), label=np.int32(i % 3))


def source(examples, batch_size, **options):
  return GrainSource(examples, batch_size, **dict(process_index=0, process_count=1) | options)


def same(a, b):
  assert set(a) == set(b)
  for name in a:
    assert a[name].dtype == b[name].dtype
    np.testing.assert_array_equal(a[name], b[name])


@pytest.fixture(params=[2**20, 0], ids=['memory', 'stream'])
def make(request):
  """A source of 23 examples in batches of 4, held in memory or streamed."""
  made = []

  def build(**options):
    made.append(source(Listed(23), **dict(batch_size=4, seed=5, memory=request.param) | options))
    return made[-1]

  yield build
  for s in made:
    s.close()


def test_batches_carry_their_examples_and_epochs(make):
  s = make()
  assert s.batches_per_epoch == 5
  batches = [s.next(train_state=object()) for _ in range(12)]
  for i, batch in enumerate(batches):
    assert batch['image'].shape == (4, 4, 4, 1) and batch['image'].dtype == np.uint8
    assert batch['example'].dtype == batch['epoch'].dtype == np.int32
    np.testing.assert_array_equal(batch['image'][:, 0, 0, 0], batch['example'])
    np.testing.assert_array_equal(batch['label'], batch['example'] % 3)
    np.testing.assert_array_equal(batch['epoch'], i // 5)  # every batch lies within one epoch


def test_each_epoch_leaves_out_another_remainder(make):
  s = make()
  left_out = []
  for _ in range(6):
    seen = np.concatenate([s.next()['example'] for _ in range(5)])
    assert len(set(seen)) == 20  # without replacement
    left_out.append(frozenset(range(23)) - set(seen))
  assert len(set(left_out)) > 1


def test_order_is_a_function_of_seed_and_epoch(make):
  a, b, c = make(), make(), make(seed=6)
  first = [a.next() for _ in range(11)]
  for batch in first:
    same(batch, b.next())
  assert any((batch['example'] != c.next()['example']).any() for batch in first)
  np.testing.assert_array_equal(first[5]['example'], permutation(23, 5, 1)[:4])


def test_batch_size_does_not_change_the_order(make):
  small = np.concatenate([batch['example'] for batch in itertools.islice(make(batch_size=2), 11)])
  large = np.concatenate([batch['example'] for batch in itertools.islice(make(batch_size=11), 2)])
  np.testing.assert_array_equal(small, large)


@pytest.mark.parametrize('at', range(12))
def test_resume_is_exact_at_any_point(make, at):
  whole = make()
  batches = [whole.next() for _ in range(16)]
  a = make()
  for _ in range(at):
    a.next()
  state = a.save()
  a.next()  # reading ahead and reading on leave what was saved alone
  b = make()
  if at % 2:
    b.next()  # nor does it matter where the restored source was
  b.restore({name: np.asarray(value) for name, value in state.items()})
  assert b.save() == state
  for batch in batches[at:]:
    same(batch, b.next())


@pytest.mark.parametrize('count', [1, 2, 4])
def test_processes_share_one_global_batch(make, count):
  whole = make(batch_size=8)
  parts = [make(batch_size=8, process_index=p, process_count=count) for p in range(count)]
  for _ in range(5):
    batches = [part.next() for part in parts]
    assert all(len(batch['example']) == 8 // count for batch in batches)
    same(whole.next(), {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]})


def test_resume_on_another_number_of_processes(make):
  one = make(batch_size=8)
  for _ in range(3):
    one.next()
  two = [make(batch_size=8, process_index=p, process_count=2) for p in range(2)]
  for part in two:
    part.restore(one.save())
  np.testing.assert_array_equal(one.next()['example'], np.concatenate([part.next()['example'] for part in two]))


def test_memory_streaming_and_plain_grain_agree(prepared):
  import grain

  held, streamed, split = (digits(data_dir=prepared).splits['train'] for _ in range(3))
  fast, slow = source(held, 100, seed=3), source(streamed, 100, seed=3, memory=0)
  rows = np.concatenate([permutation(len(split), 3, epoch)[:1400] for epoch in range(2)])
  plain = iter(grain.MapDataset.source(rows).map(lambda row: split[int(row)]).batch(100).to_iter_dataset())
  for _ in range(17):
    batch = fast.next()
    same(batch, slow.next())
    same({name: batch[name] for name in ('image', 'label')}, next(plain))
  slow.close()


def test_a_list_will_do():
  s = source([dict(x=np.float32(i)) for i in range(6)], 3)
  batch = s.next()
  np.testing.assert_array_equal(batch['x'], batch['example'])


def test_bad_arguments_are_refused():
  with pytest.raises(ValueError, match='expected 1 to 23'):
    source(Listed(23), 24)
  with pytest.raises(ValueError, match='expected 1 to 23'):
    source(Listed(23), 0)
  with pytest.raises(ValueError, match='multiple of the process count'):
    source(Listed(23), 6, process_count=4)
  with pytest.raises(ValueError, match='process 2 of 2'):
    source(Listed(23), 4, process_index=2, process_count=2)
  with pytest.raises(ValueError, match='rename'):
    source([dict(example=1)], 1)
  with pytest.raises(ValueError, match='non-negative'):
    source(Listed(23), 4, seed=-1)
  with pytest.raises(ValueError, match='does not fit this source'):
    source(Listed(23), 4).restore(source(Listed(23), 4, seed=1).save())
  with pytest.raises(ValueError, match='does not fit this source'):
    source(Listed(23), 4).restore({})


def test_errors_of_a_streamed_example_reach_the_caller():
  class Broken(Listed):
    def __getitem__(self, i):
      if i == 7:
        raise OSError('torn record')
      return super().__getitem__(i)

  s = source(Broken(23), 23, memory=0)
  with pytest.raises(OSError, match='torn record'):
    s.next()
  s.close()


@pytest.mark.long
def test_workers_give_the_same_batches():
  """Processes that read ahead, each with a part of the steps."""
  alone, spread = source(Listed(10), 4, memory=0), source(Listed(10), 4, memory=0, workers=2, threads=1, prefetch=2)
  for _ in range(5):
    a, b = alone.next(), spread.next()
    for name in a:
      np.testing.assert_array_equal(a[name], b[name])
  spread.close()


def test_a_batch_in_memory_takes_less_than_a_millisecond(prepared):
  s = source(digits(data_dir=prepared).splits['train'], 256)
  times = []
  for _ in range(100):
    start = time.perf_counter()
    s.next()
    times.append(time.perf_counter() - start)
  assert np.median(times) < 1e-3


def test_to_device_under_a_transfer_guard():
  mesh = jax.make_mesh((jax.device_count(),), ('data',), axis_types=(jax.sharding.AxisType.Auto,))
  sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec('data'))
  batch = source(Listed(23), 8 if 8 % jax.device_count() == 0 else jax.device_count()).next()
  with jax.transfer_guard('disallow'):
    arrays = to_device(batch, sharding)
  for name, array in arrays.items():
    assert array.sharding == sharding and array.dtype == batch[name].dtype
    np.testing.assert_array_equal(np.asarray(array), batch[name])
