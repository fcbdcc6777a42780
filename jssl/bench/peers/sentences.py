"""Contrast of sentences by Sentence Transformers, eager, in float32: MiniLM, or its first blocks, on texts that are read and tokenized."""

from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.losses import MultipleNegativesRankingLoss
from tokenizers import Tokenizer

from jssl.bench.served import Trainer
from jssl.core.build import open_data
from jssl.errors import ConfigError
from jssl.models.pretrained.bert import minilm_folder

MOST = 10_000  # texts that are held


def prepare(config: Any) -> Trainer:
  """Each text with itself, under dropout, as in SimCSE.

  Raises:
    ConfigError: the system is another one, or its encoder is not MiniLM.
  """
  c = config.to_dict()
  if [loss['name'] for loss in c['losses'].values()] != ['simcse'] or c['backbone']['name'] != 'minilm':
    raise ConfigError('a counterpart in Sentence Transformers is written for simcse with the backbone minilm')
  folder, length = minilm_folder(), c['data']['length']
  ids = (split := open_data(c['data']).splits['train']).take(np.arange(min(len(split), MOST)))['ids']
  texts = Tokenizer.from_file(str(folder / 'tokenizer.json')).decode_batch(ids.tolist())
  model = SentenceTransformer(str(folder), device='cpu')
  model.max_seq_length = length
  model[0].auto_model.encoder.layer = model[0].auto_model.encoder.layer[: c['backbone'].get('depth')]
  criterion = MultipleNegativesRankingLoss(model, scale=1 / c['losses']['nce']['temperature'])
  model.train()
  optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
  rng = np.random.default_rng(0)

  def run(iterations: int) -> None:
    for _ in range(iterations):
      batch = [texts[i] for i in rng.choice(len(texts), c['batch_size'], replace=False)]
      loss = criterion([model.tokenize(batch), model.tokenize(batch)], None)
      optimizer.zero_grad()
      loss.backward()
      optimizer.step()

  libraries = ('torch', 'transformers', 'sentence-transformers')
  return Trainer(run, {'parameters': sum(p.numel() for p in model.parameters()), 'versions': {name: version(name) for name in libraries}})
