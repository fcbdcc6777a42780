"""wav2vec 2.0, HuBERT and data2vec's audio network, each on two waves of unequal length."""

import numpy as np

from tests.pretrained.case import Case, seeded

LENGTHS = np.array([300, 173], np.int32)
WAVES = np.where(np.arange(300) < LENGTHS[:, None], np.random.default_rng(0).normal(size=(2, 300)), 0).astype(np.float32)
GIVEN = dict(lengths=LENGTHS)
MASK = np.zeros((2, 14), bool)
MASK[0, 3:6] = MASK[1, 1:3] = True
SMALL = dict(
  hidden_size=12, num_hidden_layers=3, num_attention_heads=3, intermediate_size=20, vocab_size=7, num_conv_pos_embedding_groups=2,
  conv_dim=(8, 6, 8), conv_kernel=(10, 3, 2), conv_stride=(5, 2, 2),
)  # fmt: skip
# An even kernel, which drops a frame, and an odd one, which drops none.
BASE, LARGE = dict(num_conv_pos_embeddings=8), dict(num_conv_pos_embeddings=5, feat_extract_norm='layer', conv_bias=True)


def network(kind, config, half=False, **options):
  """A network of transformers by the names of its class and of its config's; `half`: with weights that 16 bits can hold."""

  def make():
    import transformers

    net = seeded(lambda: getattr(transformers, kind)(getattr(transformers, config)(**SMALL, **options)))
    return net.half().float() if half else net

  return make


def save_half(net, folder):
  net.half().save_pretrained(folder)
  net.float()


def states(net, waves, padded=True, **options):
  """Hidden states, of which transformers gives the last before its normalisation where the blocks are pre-norm."""
  import torch

  told = dict(attention_mask=torch.arange(waves.shape[1]) < torch.tensor(LENGTHS)[:, None]) if padded else {}
  with torch.no_grad():
    out = net(torch.tensor(waves), output_hidden_states=True, **told, **options)
  layers = np.stack([x.numpy() for x in out.hidden_states])
  found = dict(layers=layers)
  if hasattr(out, 'last_hidden_state'):
    tokens = out.last_hidden_state.numpy()
    count = net._get_feat_extract_output_lengths(torch.tensor(LENGTHS)).numpy() if padded else [tokens.shape[1]] * len(tokens)
    found |= dict(tokens=tokens, pooled=np.stack([x[:n].mean(0) for x, n in zip(tokens, count, strict=True)]))
  return found | (dict(ctc=out.logits.numpy()) if hasattr(out, 'logits') else {})


def hidden_frames(net, waves):
  import torch

  return states(net, waves, mask_time_indices=torch.tensor(MASK))


HEAD = dict(ctc=lambda net, head, features, waves: head(features.tokens))


def case(family, kind, config, *, given=GIVEN, heads=None, theirs=states, save=None, **options):
  save = dict(save=save) if save else {}
  return Case(family, network(kind, config, **options), lambda: WAVES, theirs, given=given, heads=heads or {}, **save)


CASES = {
  'wav2vec2, base': case('wav2vec2', 'Wav2Vec2Model', 'Wav2Vec2Config', **BASE),
  'wav2vec2, large': case('wav2vec2', 'Wav2Vec2Model', 'Wav2Vec2Config', **LARGE, do_stable_layer_norm=True),
  'wav2vec2, without lengths': case(
    'wav2vec2', 'Wav2Vec2Model', 'Wav2Vec2Config', **BASE, given={}, theirs=lambda net, waves: states(net, waves, padded=False)
  ),
  'wav2vec2, with hidden frames': case(
    'wav2vec2', 'Wav2Vec2Model', 'Wav2Vec2Config', **BASE, given=GIVEN | dict(mask=MASK), theirs=hidden_frames
  ),
  'wav2vec2, never masked': case('wav2vec2', 'Wav2Vec2Model', 'Wav2Vec2Config', **BASE, mask_time_prob=0.0),
  'wav2vec2, with its head': case('wav2vec2', 'Wav2Vec2ForCTC', 'Wav2Vec2Config', **BASE, heads=HEAD),
  'wav2vec2, pretraining': case('wav2vec2', 'Wav2Vec2ForPreTraining', 'Wav2Vec2Config', **BASE, theirs=lambda net, x: states(net.wav2vec2, x)),
  'wav2vec2, in 16 bits': case('wav2vec2', 'Wav2Vec2Model', 'Wav2Vec2Config', **BASE, half=True, save=save_half),
  'hubert, base': case('hubert', 'HubertModel', 'HubertConfig', **BASE),
  'hubert, large': case('hubert', 'HubertModel', 'HubertConfig', **LARGE, do_stable_layer_norm=True),
  'hubert, with its head': case('hubert', 'HubertForCTC', 'HubertConfig', **LARGE, do_stable_layer_norm=True, heads=HEAD),
  'data2vec-audio': case(
    'data2vec-audio', 'Data2VecAudioModel', 'Data2VecAudioConfig', conv_pos_kernel_size=5, num_conv_pos_embeddings=2
  ),
}  # fmt: skip
