"""Representation learning and self-supervised learning in JAX.

`from jssl import objectives` gives pure functions of arrays and costs a plain `import jax`. `jssl.build(config)` gives
a Method, `jssl.train(config, workdir)` trains it and `jssl.load(workdir)` opens what was trained.
"""

__version__ = '0.1.0'


def __getattr__(name: str):
  # Late, so that a single objective can be imported without the trainer.
  if name == 'build':
    from jssl.core.build import build

    return build
  if name == 'train':
    from jssl.run import train

    return train
  if name == 'load':
    from jssl.model import load

    return load
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
