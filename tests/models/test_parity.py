"""Networks against those of PyTorch, weight by weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jssl import models
from jssl.models.layers import positions


@pytest.mark.parametrize('old, new', [((14, 14), (6, 6)), ((7, 7), (4, 5)), ((4, 3), (9, 7)), ((1, 2), (3, 3))])
def test_resizing_is_that_of_pytorch(old, new):
  torch = pytest.importorskip('torch')
  table = np.array(jax.random.normal(jax.random.key(0), (old[0] * old[1], 5)))
  image = torch.from_numpy(table.reshape(1, *old, 5).transpose(0, 3, 1, 2).copy())
  expected = torch.nn.functional.interpolate(image, size=new, mode='bicubic', align_corners=False)
  expected = expected.numpy().transpose(0, 2, 3, 1).reshape(-1, 5)
  np.testing.assert_allclose(positions.resize(jnp.asarray(table), old, new), expected, atol=1e-5)


def test_a_residual_network_is_that_of_torchvision():
  torchvision = pytest.importorskip('torchvision', exc_type=Exception)
  torch = pytest.importorskip('torch')
  torch.manual_seed(0)
  theirs = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 2, 1, 1]).eval()
  theirs.fc = torch.nn.Identity()
  weights = {k: jnp.asarray(v.numpy()) for k, v in theirs.state_dict().items()}
  net = models.resnet18((33, 40, 3), depths=(1, 2, 1, 1), stem='imagenet', rngs=nnx.Rngs(0))
  net.eval()

  def conv(module, name):
    module.kernel[...] = weights[f'{name}.weight'].transpose(2, 3, 1, 0)

  def norm(module, name):
    for own, other in dict(scale='weight', bias='bias', mean='running_mean', var='running_var').items():
      getattr(module, own)[...] = weights[f'{name}.{other}']

  conv(net.conv, 'conv1')
  norm(net.norm, 'bn1')
  for i, depth in enumerate(net.depths, 1):
    for j in range(1, depth + 1):
      block, name = getattr(net, f'stage{i}_block{j}'), f'layer{i}.{j - 1}'
      for k in (1, 2):
        conv(getattr(block, f'conv{k}'), f'{name}.conv{k}')
        norm(getattr(block, f'norm{k}'), f'{name}.bn{k}')
      if block.shortcut is not None:
        conv(block.shortcut.conv, f'{name}.downsample.0')
        norm(block.shortcut.norm, f'{name}.downsample.1')
  x = jax.random.normal(jax.random.key(0), (2, 33, 40, 3))
  expected = theirs(torch.from_numpy(np.array(x).transpose(0, 3, 1, 2))).detach().numpy()
  graphdef, state = nnx.split(net)
  features = jax.jit(lambda state, x: nnx.merge(graphdef, state, copy=True)(x))(state, x)
  np.testing.assert_allclose(features.pooled, expected, rtol=1e-4, atol=1e-4)
  assert features.tokens.shape[1] == net.grid[0] * net.grid[1] == 4
