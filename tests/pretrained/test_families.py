"""Weights in and out, family by family, against the libraries that they come from."""

import jax
import numpy as np
import pytest
from flax import nnx

from jssl.models.pretrained.family import from_folder, head_from_folder, write_folder
from jssl.models.pretrained.names import arrays
from jssl.tables import FAMILIES
from tests.pretrained import audio_cases, bertlike_cases, causal_cases, convolutional_cases, t5_cases, text_cases, tower_cases, vision_cases
from tests.pretrained.case import absent

CASES = {
  **audio_cases.CASES,
  **bertlike_cases.CASES,
  **causal_cases.CASES,
  **convolutional_cases.CASES,
  **t5_cases.CASES,
  **text_cases.CASES,
  **tower_cases.CASES,
  **vision_cases.CASES,
}
FIRST = {case.family: name for name, case in reversed(CASES.items())}.values()  # one of each family; the others are marked long


def padded(name, x, inputs, pad):
  """With the places of padding 0, as in the cases of texts."""
  mask = (inputs != pad)[..., None] if np.issubdtype(inputs.dtype, np.integer) and name in ('layers', 'tokens') else 1
  return np.asarray(x) * mask


@pytest.fixture(scope='module', params=[pytest.param(name, marks=[] if name in FIRST else pytest.mark.long) for name in CASES])
def opened(request, tmp_path_factory):
  case = CASES[request.param]
  if why := absent(*(['timm'] if case.family.startswith('timm/') else [])):
    pytest.skip(why)
  folder = tmp_path_factory.mktemp('theirs')
  theirs, inputs = case.make(), case.inputs()
  case.save(theirs, folder)
  ours = from_folder(inputs.shape[1:], folder=str(folder), **case.options, rngs=nnx.Rngs(0))
  ours.eval()
  return case, folder, theirs, ours, inputs


def test_hidden_states_are_theirs(opened):
  case, folder, theirs, ours, inputs = opened
  expected, found = case.theirs(theirs, inputs), ours(inputs, **case.given)
  for name, x in expected.items():
    if name in case.heads:
      head = head_from_folder(ours, folder=str(folder), head=name, **case.options, rngs=nnx.Rngs(0))
      np.testing.assert_allclose(case.heads[name](ours, head, found, inputs), x, atol=1e-4, rtol=1e-4, err_msg=name)
    else:
      # Of the layers theirs may be the first ones: some normalise the last before they give it.
      np.testing.assert_allclose(padded(name, getattr(found, name), inputs, case.pad)[: len(x)], x, atol=1e-4, rtol=1e-4, err_msg=name)


def test_what_is_written_is_opened_by_them(opened, tmp_path):
  case, _, theirs, ours, inputs = opened
  write_folder(tmp_path, ours, case.family)
  again = from_folder(inputs.shape[1:], folder=str(tmp_path), **case.again, rngs=nnx.Rngs(1))
  for (path, x), y in zip(arrays(ours).items(), arrays(again).values(), strict=True):
    np.testing.assert_array_equal(x[...], y[...], err_msg=path)
  if case.heads:
    return  # what jssl writes is the network alone
  load = case.load or type(theirs).from_pretrained
  expected, found = case.theirs(theirs, inputs), case.theirs(load(tmp_path).eval(), inputs)
  for name, x in expected.items():
    np.testing.assert_allclose(found[name], x, atol=1e-5, rtol=1e-5, err_msg=name)


def test_every_family_has_a_case():
  assert {case.family for case in CASES.values()} == set(FAMILIES)


@pytest.mark.long
def test_weights_are_read_inside_jit(opened):
  case, folder, _, ours, inputs = opened
  make = lambda: nnx.to_pure_dict(nnx.state(from_folder(inputs.shape[1:], folder=str(folder), **case.options, rngs=nnx.Rngs(1)), nnx.Param))
  jax.tree.map(np.testing.assert_array_equal, jax.jit(make)(), nnx.to_pure_dict(nnx.state(ours, nnx.Param)))
