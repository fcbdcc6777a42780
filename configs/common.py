"""What configs have in common: one function a modality."""

from ml_collections import ConfigDict


def base(*, data: str, batch_size: int, epochs: int) -> ConfigDict:
  """The keys that every config has."""
  c = ConfigDict(dict(data=dict(name=data), batch_size=batch_size, epochs=epochs, seed=0, mesh={}, heads={}, terms={}))
  c.optimizer = dict(
    name='adamw', learning_rate=dict(name='cosine', peak=6e-3, warmup='10%'), weight_decay=0.05
  )
  return c


def image(*, data: str = 'mnist5k', batch_size: int = 256, epochs: int = 20) -> ConfigDict:
  """Images: a strided convnet, and small changes of position, size, slant, brightness and contrast as the views."""
  c = base(data=data, batch_size=batch_size, epochs=epochs)
  c.backbone = dict(name='convnet', widths=(32, 64, 128, 128))
  c.view = dict(
    name='augment',
    affine=dict(degrees=20, translate=0.15, scale=(0.6, 1.2), shear=20),
    jitter=dict(brightness=0.4, contrast=0.4),
  )
  c.inputs = dict(name='plain')
  return c


def image_masked(*, data: str = 'mnist5k', batch_size: int = 64, epochs: int = 20) -> ConfigDict:
  """Images cut into patches for a small vision transformer, with one lightly moved view of each, standardised.

  It takes some hundred updates until attention finds the neighbours of what is hidden, so batches are small.
  """
  c = image(data=data, batch_size=batch_size, epochs=epochs)
  pixels = dict(mean=0.13, std=0.31)
  c.backbone = dict(name='vit_micro', patch=4, pool='mean', positions='sincos')
  c.view = dict(name='augment', views=1, affine=dict(degrees=10, translate=0.1, scale=(0.8, 1.1)), **pixels)
  c.inputs = dict(name='plain', **pixels)
  c.optimizer.learning_rate.peak = 3e-3
  c.optimizer.b2 = 0.95
  return c
