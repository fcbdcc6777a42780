"""DistMult, TransE and RotatE on triples by PyKEEN, with margin ranking and corrupted triples."""

from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from pykeen.models import DistMult, RotatE, TransE
from pykeen.training import SLCWATrainingLoop
from pykeen.triples import CoreTriplesFactory

from jssl.bench.served import Trainer
from jssl.core.build import open_data
from jssl.errors import ConfigError

MODELS = {'distmult': DistMult, 'transe': TransE, 'rotate': RotatE}


def prepare(config: Any) -> Trainer:
  """The system of the config, if it scores triples. A turn is whole epochs.

  Raises:
    ConfigError: the system is another one.
  """
  c = config.to_dict()
  score = c['heads'].get('relations', {}).get('name')
  if score not in MODELS:
    raise ConfigError(f'a counterpart in PyKEEN is written for {", ".join(MODELS)}, and not for the score {score!r}')
  data = open_data(c['data'])
  split = data.splits['train']
  rows = split.take(np.arange(len(split)))
  triples = CoreTriplesFactory(
    torch.tensor(np.stack([rows[name] for name in ('head', 'relation', 'tail')], 1), dtype=torch.long),
    num_entities=data.spec['head'].size, num_relations=data.spec['relation'].size,
  )  # fmt: skip
  model = MODELS[score](triples_factory=triples, embedding_dim=c['backbone']['dim'], loss='marginranking')
  optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
  count = c['passes']['triples']['negatives']['count']
  loop = SLCWATrainingLoop(model=model, triples_factory=triples, optimizer=optimizer, negative_sampler_kwargs=dict(num_negs_per_pos=2 * count))
  batches, trained = len(split) // c['batch_size'], [0]

  def run(iterations: int) -> None:
    for _ in range(-(-iterations // batches)):
      trained[0] += 1
      loop.train(
        triples, num_epochs=trained[0], batch_size=c['batch_size'], drop_last=True, use_tqdm=False, use_tqdm_batch=False,
        continue_training=trained[0] > 1, pin_memory=False,
      )  # fmt: skip

  parameters = sum(p.numel() for p in model.parameters())
  return Trainer(run, {'parameters': parameters, 'multiple': batches, 'versions': {name: version(name) for name in ('torch', 'pykeen')}})
