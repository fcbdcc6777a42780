"""Generation: against transformers token by token, against loops, and by the distribution of what is drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl.models.pretrained.family import from_folder
from jssl.ops.generation import beam_search, contrastive_search, filtered, generate, greedy, sample
from tests.pretrained.case import absent, seeded

LENGTH, VOCABULARY = 16, 13
PROMPT = np.random.default_rng(0).integers(2, VOCABULARY, (5, 4)).astype(np.int32)
FOUR = jnp.full(5, 4)


def random_step(seed=0, length=LENGTH, dim=6):
  """A step whose logits and states rest on all tokens so far, and its cache: the tokens, and how many have been read."""
  g = np.random.default_rng(seed)
  table, places, out = (jnp.asarray(g.normal(size=s), jnp.float32) for s in ((VOCABULARY, dim), (length, dim, dim), (dim, VOCABULARY)))

  def step(cache, ids, place):
    x = cache['x'].at[:, place].set(table[ids])
    read = jnp.arange(length) <= place
    hidden = jnp.tanh(jnp.einsum('bnd,nde,n->be', x, places, read.astype(jnp.float32)) / 2)
    return 2 * hidden @ out, hidden, dict(x=x, read=cache['read'] + 1)

  return step, lambda b: dict(x=jnp.zeros((b, length, dim)), read=jnp.zeros(b, jnp.int32))


STEP, CACHE = random_step()


def cut(row, end):
  row = [int(x) for x in row]
  return row[: row.index(end, 4) + 1] if end in row[4:] else row


@pytest.fixture(scope='module')
def gpt2(tmp_path_factory):
  if why := absent():
    pytest.skip(why)
  import transformers

  folder = tmp_path_factory.mktemp('gpt2')
  config = dict(vocab_size=VOCABULARY, n_embd=12, n_layer=2, n_head=3, n_positions=LENGTH, bos_token_id=None, eos_token_id=None, pad_token_id=0)
  theirs = seeded(lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(**config)), spread=0.2)
  theirs.save_pretrained(folder)
  net = from_folder((LENGTH,), folder=str(folder), rngs=nnx.Rngs(0))
  net.pad = None  # all that stands there has been read, or is not looked at

  def step(cache, ids, place):
    cache = cache.at[:, place].set(ids)
    hidden = jnp.take(net(cache).tokens, place, axis=1)
    return net.logits(hidden), hidden, cache

  def write(end, **options):
    import torch

    with torch.no_grad():
      ids = torch.tensor(PROMPT, dtype=torch.long)
      asked = dict(do_sample=False, max_length=LENGTH, eos_token_id=end, pad_token_id=0, return_dict_in_generate=True, output_scores=True)
      return theirs.generate(ids, attention_mask=torch.ones_like(ids), **asked, **options)

  return step, write


@pytest.mark.parametrize('end', [3, 7])
def test_greedy_search_is_that_of_transformers(gpt2, end):
  step, theirs = gpt2
  ours = jax.jit(lambda p: greedy(step, jnp.zeros((5, LENGTH), jnp.int32), p, FOUR, length=LENGTH, end=end))(PROMPT)
  expected = theirs(end, num_beams=1).sequences.numpy()
  assert [cut(row, end) for row in ours] == [cut(row, end) for row in expected]


@pytest.mark.parametrize(
  ('end', 'beams', 'penalty', 'early'), [(3, 4, 1.0, False), (5, 4, 0.0, False), (7, 4, 2.0, True), (9, 3, -1.0, False), (2, 2, 1.0, True)]
)
def test_beam_search_is_that_of_transformers(gpt2, end, beams, penalty, early):
  step, theirs = gpt2
  options = dict(beams=beams, penalty=penalty, early=early, length=LENGTH, end=end)
  ours = jax.jit(lambda p: beam_search(step, jnp.zeros((5, LENGTH), jnp.int32), p, FOUR, **options))(PROMPT)
  expected = theirs(end, num_beams=beams, length_penalty=penalty, early_stopping=early, num_return_sequences=beams)
  assert [cut(row, end) for row in ours.ids.reshape(-1, LENGTH)] == [cut(row, end) for row in expected.sequences.numpy()]
  np.testing.assert_allclose(ours.scores.reshape(-1), expected.sequences_scores.numpy(), rtol=1e-4, atol=1e-5)


def exhaustive(b, end, penalty, length):
  """All sequences of a prompt and their scores, the best first."""
  open_, done = [(PROMPT[b, :4].tolist(), 0.0)], []
  while open_:
    ids, score = open_.pop()
    cache = CACHE(1)
    for place, token in enumerate(ids):
      logits, _, cache = STEP(cache, jnp.array([token]), place)
    logp = np.asarray(jax.nn.log_softmax(logits[0]))
    for token in range(VOCABULARY):
      new = ids + [token], score + float(logp[token])
      (done if token == end or len(new[0]) == length else open_).append(new)
  return sorted(((score / (len(ids) - 4) ** penalty, ids) for ids, score in done), reverse=True)


def test_as_many_beams_as_there_are_sequences_find_the_best():
  best = exhaustive(0, 3, 1.0, 6)
  found = jax.jit(lambda p: beam_search(STEP, CACHE(1), p, FOUR[:1], beams=VOCABULARY, length=6, end=3))(PROMPT[:1])
  np.testing.assert_allclose(found.scores[0, 0], best[0][0], rtol=1e-5)
  assert cut(found.ids[0, 0], 3) == best[0][1]


def test_contrastive_search_is_that_of_loops():
  k, alpha, end = 4, 0.6, 3
  found = jax.jit(lambda p: contrastive_search(STEP, CACHE(5), p, FOUR, candidates=k, alpha=alpha, length=LENGTH, end=end))(PROMPT)
  for row, prompt in zip(found, PROMPT, strict=True):
    ids, cache, states = [], CACHE(1), []
    for token in prompt:
      logits, h, cache = STEP(cache, jnp.array([token]), len(ids))
      ids, states = [*ids, int(token)], [*states, np.asarray(h[0])]
    while len(ids) < LENGTH and (len(ids) == 4 or ids[-1] != end):
      p = np.asarray(jax.nn.softmax(logits[0]))
      tried = []
      for v in np.argsort(-p)[:k]:
        after = STEP(cache, jnp.array([v]), len(ids))
        h = np.asarray(after[1][0])
        alike = max(h @ s / np.linalg.norm(h) / np.linalg.norm(s) for s in states)
        tried.append(((1 - alpha) * p[v] - alpha * alike, int(v), h, after))
      _, v, h, (logits, _, cache) = max(tried, key=lambda one: one[0])
      ids, states = [*ids, v], [*states, h]
    assert cut(row, end) == ids and not row[len(ids) :].any()


def test_contrastive_search_without_contrast_is_greedy():
  found = contrastive_search(STEP, CACHE(5), PROMPT, FOUR, candidates=3, alpha=0.0, length=LENGTH, end=3)
  np.testing.assert_array_equal(found, greedy(STEP, CACHE(5), PROMPT, FOUR, length=LENGTH, end=3))


SEARCHES = {
  'greedy': lambda cache, p, n, **k: greedy(STEP, cache, p, n, **k),
  'sample': lambda cache, p, n, **k: sample(STEP, cache, p, n, jax.random.split(jax.random.key(1), 5)[5 - len(p) :], **k),
  'beams': lambda cache, p, n, **k: beam_search(STEP, cache, p, n, beams=3, **k).ids[:, 0],
  'contrastive': lambda cache, p, n, **k: contrastive_search(STEP, cache, p, n, candidates=3, alpha=0.5, **k),
}


@pytest.mark.parametrize('name', SEARCHES)
def test_prompts_of_unequal_lengths_go_on_as_each_alone(name):
  lengths = np.array([4, 2, 1, 3, 4])
  found = SEARCHES[name](CACHE(5), PROMPT, jnp.asarray(lengths), length=LENGTH, end=3)
  for i, n in enumerate(lengths):
    alone = SEARCHES[name](CACHE(5 - i), PROMPT[i:, :n], jnp.full(5 - i, n), length=LENGTH, end=3)
    np.testing.assert_array_equal(found[i], alone[0])
    assert (found[i, :n] == PROMPT[i, :n]).all()


@pytest.mark.parametrize('name', SEARCHES)
def test_prompts_of_full_length_stay_as_they_are(name):
  np.testing.assert_array_equal(SEARCHES[name](CACHE(5), PROMPT, FOUR, length=4), PROMPT)
  with pytest.raises(ValueError, match='longer than sequences of 3'):
    SEARCHES[name](CACHE(5), PROMPT, FOUR, length=3)


@pytest.mark.parametrize('name', SEARCHES)
def test_one_compilation_serves_all_prompts(name):
  traces = []

  @jax.jit
  def run(prompt, lengths):
    traces.append(0)
    return SEARCHES[name](CACHE(5), prompt, lengths, length=LENGTH, end=3)

  run(PROMPT, FOUR), run(PROMPT + 0, FOUR - 1)
  assert len(traces) == 1


def test_the_loop_stops_when_all_have_ended():
  logits = lambda ids, place: jnp.where(place >= 5, 9.0, -9.0) * jax.nn.one_hot(jnp.full_like(ids, 3), VOCABULARY)
  step = lambda cache, ids, place: (logits(ids, place) + jax.nn.one_hot(ids, VOCABULARY), None, cache + 1)
  choose = lambda logits, place: jnp.argmax(logits, -1)
  ids, read = generate(step, jnp.zeros(5), PROMPT, FOUR, choose, length=LENGTH, end=3)
  assert (ids[:, 6] == 3).all() and not ids[:, 7:].any()
  np.testing.assert_array_equal(read, 6)


def test_reading_begins_behind_what_the_cache_holds():
  cache = CACHE(5)
  for place in range(3):
    _, _, cache = STEP(cache, PROMPT[:, place], place)
  for search in (SEARCHES['greedy'], SEARCHES['sample'], SEARCHES['beams']):
    whole = search(CACHE(5), PROMPT, FOUR, length=LENGTH, end=3)
    np.testing.assert_array_equal(search(cache, PROMPT, FOUR, length=LENGTH, end=3, begin=3), whole)


@pytest.mark.parametrize('name', ['beams', 'contrastive'])
def test_examples_may_lie_along_another_axis_of_the_cache(name):
  def step(cache, ids, place):
    logits, hidden, cache = STEP(jax.tree.map(lambda x: x[0], cache), ids, place)
    return logits, hidden, jax.tree.map(lambda x: x[None], cache)

  stacked = jax.tree.map(lambda x: x[None], CACHE(5))
  search = dict(
    beams=lambda *a, **k: beam_search(*a, **k, beams=3).ids, contrastive=lambda *a, **k: contrastive_search(*a, **k, candidates=3, alpha=0.5)
  )[name]
  found = search(step, stacked, PROMPT, FOUR, length=LENGTH, end=3, axis=1)
  np.testing.assert_array_equal(found, search(STEP, CACHE(5), PROMPT, FOUR, length=LENGTH, end=3))


@pytest.mark.parametrize('options', [dict(), dict(temperature=0.7), dict(top_k=4), dict(top_p=0.8), dict(temperature=1.5, top_k=8, top_p=0.7)])
def test_tokens_are_drawn_from_the_filtered_distribution(options):
  count, logits = 20_000, jnp.asarray(np.random.default_rng(3).normal(size=VOCABULARY) * 1.5, jnp.float32)
  step = lambda cache, ids, place: (jnp.broadcast_to(logits, (len(ids), VOCABULARY)), None, cache)
  keys, prompt = jax.random.split(jax.random.key(0), count), jnp.ones((count, 1), jnp.int32)
  drawn = jax.jit(lambda keys: sample(step, 0, prompt, jnp.ones(count, jnp.int32), keys, length=3, **options))(keys)
  # by loops: the likeliest first, until k are kept, or the mass before one is p
  x = np.asarray(logits, np.float64) / options.get('temperature', 1)
  order = np.argsort(-x)[: options.get('top_k', VOCABULARY)]
  p = np.exp(x[order]) / np.exp(x[order]).sum()
  order = [v for i, v in enumerate(order) if p[:i].sum() < options.get('top_p', 2)]
  expected = np.zeros(VOCABULARY)
  expected[order] = np.exp(x[order]) / np.exp(x[order]).sum()
  for place in (1, 2):
    share = np.bincount(drawn[:, place], minlength=VOCABULARY) / count
    assert not share[expected == 0].any()
    assert (np.abs(share - expected) <= 4 * np.sqrt(expected * (1 - expected) / count)).all()
  together = np.histogram2d(drawn[:, 1], drawn[:, 2], bins=np.arange(VOCABULARY + 1) - 0.5)[0] / count
  assert np.abs(together - np.outer(expected, expected)).max() < 0.01  # the draws of two places are independent


def test_filters_are_those_of_transformers():
  if why := absent():
    pytest.skip(why)
  import torch
  from transformers.generation import logits_process

  x = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32) * 2
  for k, p in ((5, 1.0), (30, 0.3), (12, 0.9), (1, 0.9), (30, 0.001)):
    expected = logits_process.TopKLogitsWarper(k)(None, torch.tensor(x) / 0.7)
    expected = logits_process.TopPLogitsWarper(p)(None, expected) if p < 1 else expected
    np.testing.assert_allclose(filtered(x, temperature=0.7, top_k=k, top_p=p), expected.numpy(), rtol=1e-6)
