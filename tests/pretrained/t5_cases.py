"""T5 and mT5: their encoders here, their decoders in test_t5.py."""

import numpy as np

from tests.pretrained.case import Case
from tests.pretrained.text_cases import IDS, transformer

LONG = np.concatenate([np.random.default_rng(0).integers(2, 16, (2, 150)), np.zeros((2, 3), int)], 1).astype(np.int32)
SMALL = dict(vocab_size=16, d_model=12, d_kv=5, d_ff=20, num_layers=3, num_decoder_layers=2, num_heads=3, decoder_start_token_id=0)
GATED = SMALL | dict(feed_forward_proj='gated-gelu', tie_word_embeddings=False)


def encoder_states(net, ids):
  """Hidden states of the encoder; the last of theirs is normalised."""
  import torch

  with torch.no_grad():
    out = net.encoder(input_ids=torch.tensor(ids), attention_mask=torch.tensor(ids != 0), output_hidden_states=True)
  found = np.stack([x.numpy() for x in out.hidden_states]) * (ids != 0)[..., None]
  return dict(layers=found[:-1], tokens=found[-1])


CASES = {
  't5': Case('t5', transformer('T5ForConditionalGeneration', 'T5Config', **SMALL), lambda: IDS, encoder_states),
  't5, version 1.1': Case('t5', transformer('T5ForConditionalGeneration', 'T5Config', **GATED), lambda: IDS, encoder_states),
  't5, encoder of the whole': Case(
    't5:encoder', transformer('T5ForConditionalGeneration', 'T5Config', **SMALL), lambda: IDS, encoder_states,
    options=dict(part='encoder'), again=dict(part='encoder'), load=lambda folder: _opened('T5EncoderModel', folder),
  ),
  't5, encoder, long texts': Case(
    't5:encoder', transformer('T5EncoderModel', 'T5Config', **GATED), lambda: LONG, encoder_states,
    options=dict(part='encoder'), again=dict(part='encoder'),
  ),
  'mt5': Case('mt5', transformer('MT5ForConditionalGeneration', 'MT5Config', **SMALL), lambda: IDS, encoder_states),
  'mt5, encoder': Case(
    'mt5:encoder', transformer('MT5EncoderModel', 'MT5Config', **SMALL), lambda: IDS, encoder_states,
    options=dict(part='encoder'), again=dict(part='encoder'),
  ),
}  # fmt: skip


def _opened(kind, folder):
  import transformers

  return getattr(transformers, kind).from_pretrained(folder)
