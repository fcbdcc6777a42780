"""What configs have in common: one function a modality."""

from ml_collections import ConfigDict


def base(*, data: str, batch_size: int, epochs: int) -> ConfigDict:
  """The keys that every config has."""
  c = ConfigDict(dict(data=dict(name=data), batch_size=batch_size, epochs=epochs, seed=0, mesh={}))
  for part in ('heads', 'passes', 'losses', 'memories', 'metrics'):
    c[part] = {}
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


def image_masked(*, data: str = 'mnist5k', batch_size: int = 32, epochs: int = 8, width: int = 96) -> ConfigDict:
  """Images cut into patches for a small vision transformer, with one lightly moved view of each, standardised.

  It takes some hundred updates until attention finds the neighbours of what is hidden, so batches are small and blocks few.
  """
  c = image(data=data, batch_size=batch_size, epochs=epochs)
  pixels = dict(mean=0.13, std=0.31)
  c.backbone = dict(name='vit_micro', width=width, depth=2, patch=4, pool='mean', positions='sincos')
  c.view = dict(name='augment', views=1, affine=dict(degrees=10, translate=0.1, scale=(0.8, 1.1)), **pixels)
  c.inputs = dict(name='plain', **pixels)
  c.optimizer.learning_rate.peak = 1.5e-3
  c.optimizer.b2 = 0.95
  return c


def text(*, data: str = 'king_james', batch_size: int = 64, steps: int = 120, vocabulary: int = 2048, length: int = 32) -> ConfigDict:
  """Texts as word pieces, for a BERT of three layers."""
  c = base(data=data, batch_size=batch_size, epochs=1)
  c.steps, c.data.length, c.data.vocabulary = steps, length, vocabulary
  c.backbone = dict(name='bert', width=64, depth=3, heads=4, dropout=0.1, std=0.1)
  c.optimizer.learning_rate.peak = 2e-3
  return c


def sentences(*, data: str = 'lee', batch_size: int = 32, steps: int = 16, length: int = 24) -> ConfigDict:
  """Sentences for the first block of MiniLM, a start that knows words; the views are the same sentence twice, under dropout."""
  c = base(data=data, batch_size=batch_size, epochs=1)
  c.steps, c.data.length, c.data.tokenizer = steps, length, 'minilm'
  c.backbone = dict(name='minilm', depth=1, dropout=0.1)
  c.view = dict(name='duplicate')
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=3e-4, warmup='10%'), weight_decay=0.01)
  c.evaluators = dict(sts=dict(name='sts', pairs='pairs_test'))
  return c


def frozen_minilm(*, data: str, length: int) -> ConfigDict:
  """A pretrained encoder of sentences as it comes: nothing is trained, evaluators judge what is in it."""
  c = base(data=data, batch_size=64, epochs=1)
  c.data.update(tokenizer='minilm', length=length)
  c.backbone = dict(name='minilm')
  c.steps, c.kind = 0, 'analysis'
  return c


def diffusion(*, data: str = 'digits', batch_size: int = 64, epochs: int = 10) -> ConfigDict:
  """Images in [-1, 1] with the noise of the cosine schedule, an encoder of few features and a small U-Net."""
  c = image(data=data, batch_size=batch_size, epochs=epochs)
  c.backbone = dict(name='convnet', widths=(32, 64), kernel=(3, 2))
  c.view = c.inputs = dict(name='plain', mean=0.5, std=0.5)
  c.heads.denoiser = dict(name='unet', on='data.image', code=64, widths=(16, 32))
  c.optimizer.learning_rate.peak = 3e-3
  c.evaluators = dict(linear=dict(name='linear'), fewshot=dict(name='fewshot'))
  return c


def small_masked(*, data: str = 'digits', patch: int = 2, batch_size: int = 64, epochs: int = 12) -> ConfigDict:
  """Small pictures in patches for a vision transformer of two blocks; views standardise by the same numbers as `inputs`."""
  c = base(data=data, batch_size=batch_size, epochs=epochs)
  c.backbone = dict(
    name='vit', width=48, depth=2, heads=4, patch=patch, pool='mean', positions='sincos', std=0.0, temperature=8.0
  )
  c.inputs = dict(name='plain', mean=0.3, std=0.35)
  c.optimizer.learning_rate.peak = 3e-3
  c.evaluators = dict(linear=dict(name='linear'), fewshot=dict(name='fewshot'))
  c.optimizer.b2 = 0.95
  return c


def rooms(*, batch_size: int = 128, steps: int = 600, **data) -> ConfigDict:
  """Four rooms seen as images, by a small perceptron; options as those of the data set `rooms`."""
  c = base(data='rooms', batch_size=batch_size, epochs=1)
  c.data.update(data)
  c.epochs, c.steps = None, steps
  c.backbone = dict(name='mlp_backbone', on='data.frame', widths=(128, 64), norm='none')
  c.optimizer = dict(name='adamw', learning_rate=2e-3, weight_decay=0.0)
  return c


def rooms_played(*, batch_size: int = 64, steps: int = 600, copies: int = 1, **data) -> ConfigDict:
  """The same rooms, trained on what the policy plays: Q-learning, with a slow target network, beside what a system adds."""
  c = rooms(batch_size=batch_size, steps=steps, copies=copies, **data)
  c.data.head = 'q'
  c.backbone.norm = 'layer'
  c.heads.q = dict(name='linear', dim='data.action.size')
  c.heads.action = dict(name='action_embedding', on='data.action')
  c.heads.transition = dict(name='transition', actions='data.action.size')
  c.teacher = dict(name='ema', decay=0.99, networks=('backbone', 'q'))
  c.passes.play = dict(name='q_values', horizon=3)
  of = ('q_values', 'next_online', 'next_target', 'actions', 'rewards', 'discounts')
  c.losses.values = dict(name='double_dqn', of={name: f'play.{name}' for name in of})
  c.metrics.q = dict(name='mean_value', of=('play.q_values',))
  c.evaluators = dict(control=dict(name='control'))
  return c


def demonstrations(*, batch_size: int = 64, steps: int = 400, **data) -> ConfigDict:
  """A point mass pushed to its goal by an expert, seen as images by a small perceptron, or as vectors where side=0."""
  c = base(data='demonstrations', batch_size=batch_size, epochs=1)
  c.data.update(data)
  c.epochs, c.steps = None, steps
  c.backbone = dict(name='mlp_backbone', on='data.frame', widths=(128, 64), norm='none')
  c.optimizer = dict(name='adamw', learning_rate=1e-3, weight_decay=0.0)
  c.evaluators = dict(state=dict(name='regression'), cloning=dict(name='cloning'))
  return c


def answers(*, batch_size: int = 64, steps: int = 400, **data) -> ConfigDict:
  """Sums worked out step by step, some steps wrong, for a causal transformer of two blocks."""
  c = base(data='chains', batch_size=batch_size, epochs=1)
  c.data.update(data)
  c.epochs, c.steps = None, steps
  c.backbone = dict(name='causal_lm', width=48, depth=2, heads=4, std=0.1)
  c.optimizer = dict(name='adamw', learning_rate=dict(name='cosine', peak=3e-3, warmup='10%'), weight_decay=0.01)
  return c
