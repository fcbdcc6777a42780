"""One family of weights against the library that it comes from: small networks with random weights, there and here."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.oracles import references


class Case(NamedTuple):
  """A network of another library, and what it computes.

  Attributes:
    family: its name in `jssl.tables.FAMILIES`.
    make: makes the network, of transformers or timm, with random weights, in evaluation mode; seeds torch itself.
    inputs: one batch as jssl takes it: images [b h w c], ids [b n], or waveforms [b n].
    theirs: (their network, inputs) -> what they compute, by field of `Features`: layers [l+1 b n d], tokens [b n d], pooled [b d];
      or by the name of a head, what that gives.
    options: of `from_folder`, such as part='vision'.
    heads: head -> (ours, the head, features, inputs) -> what it gives, to be compared with `theirs` of that name.
    save: writes their network as a folder.
    load: opens such a folder, for what jssl writes; None where it is their class's `from_pretrained`.
    given: what ours is called with besides, such as types.
    pad: the id of padding.
    again: options of `from_folder` for what jssl writes, where its config.json does not say which part of a network it is.
  """

  family: str
  make: Callable[[], Any]
  inputs: Callable[[], np.ndarray]
  theirs: Callable[[Any, np.ndarray], Mapping[str, np.ndarray]]
  options: Mapping[str, Any] = {}
  heads: Mapping[str, Callable] = {}
  save: Callable[[Any, Path], None] = lambda net, folder: net.save_pretrained(folder)
  load: Callable[[Path], Any] | None = None
  given: Mapping[str, Any] = {}
  pad: int = 0
  again: Mapping[str, Any] = {}


def absent(*packages: str) -> str | None:
  """Why a reference cannot be imported; None where it can."""
  if not (why := references.absent('torch')):
    import torch

    references.declare_operators(torch)  # transformers and timm import torchvision
    why = next((found for name in packages or ('transformers',) if (found := references.absent(name))), None)
  return why


def seeded(make: Callable[[], Any], spread: float = 0.3, seed: int = 0) -> Any:
  """A network of torch with weights far from where its own initialisation puts them, so that no term of it is nearly nothing."""
  import torch

  torch.manual_seed(seed)
  net = make().eval()
  with torch.no_grad():
    for name, x in net.state_dict().items():
      if x.is_floating_point():
        noise = torch.randn(x.shape) * spread
        x.add_(noise.abs() if name.endswith('running_var') else noise)
  return net
