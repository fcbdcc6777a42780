"""The text towers of CLIP and SigLIP, and ModernBERT."""

import numpy as np

from tests.pretrained.case import Case, seeded
from tests.pretrained.text_cases import transformer

END = 13
TEXTS = np.array([[5, 9, 7, END, 0, 0], [6, 4, 11, 2, 14, END]], np.int32)
PADDED = np.where(TEXTS == 0, 1, TEXTS)  # no id of padding, which the tests would hide
LONG = np.array([[5, 9, 7, 3, 12, 8, 4, 6, 2, 10, 15, 3], [6, 4, 11, 2, 9, 8, 7, 0, 0, 0, 0, 0]], np.int32)
TEXT = dict(
  vocab_size=16, hidden_size=12, num_hidden_layers=3, num_attention_heads=3, intermediate_size=20, max_position_embeddings=9,
)  # fmt: skip
IMAGE = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=4, patch_size=2)
ALTERNATING = dict(
  vocab_size=16, hidden_size=12, num_hidden_layers=5, num_attention_heads=3, intermediate_size=20, max_position_embeddings=16,
  global_attn_every_n_layers=2, local_attention=5, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2,
)  # fmt: skip


def states(net, ids, *, attended=None):
  """Hidden states of a tower, of a whole model's too."""
  import torch

  tower = getattr(net, 'text_model', net)
  given = {} if attended is None else dict(attention_mask=torch.tensor(attended))
  with torch.no_grad():
    out = tower(input_ids=torch.tensor(ids), output_hidden_states=True, **given)
  real = 1 if attended is None else attended[..., None]
  return dict(layers=np.stack([x.numpy() for x in out.hidden_states]) * real, tokens=out.last_hidden_state.numpy() * real,
    pooled=out.pooler_output.numpy())  # fmt: skip


def clip(net, ids):
  """Of CLIP's tower, whose mask hides padding; no other token sees it anyhow."""
  return states(net, ids, attended=ids != 0)


def whole_clip(net, ids):
  import torch

  with torch.no_grad():
    projected = net.get_text_features(input_ids=torch.tensor(ids)).pooler_output.numpy()
  return clip(net, ids) | dict(projection=projected, scale=net.logit_scale.exp().detach().numpy())


def projected_clip(net, ids):
  import torch

  with torch.no_grad():
    return clip(net, ids) | dict(projection=net(input_ids=torch.tensor(ids)).text_embeds.numpy())


def siglip(net, ids):
  """Of SigLIP's tower, without a mask, as it is trained; what stands in for padding is attended to."""
  return states(net, ids)


def whole_siglip(net, ids):
  return siglip(net, ids) | dict(scale=(0.5 * net.logit_scale.exp() + net.logit_bias)[0].detach().numpy())


def tower(kind, model, **options):
  """CLIPTextModel and its kin."""
  return transformer(f'{kind}{model}', f'{kind}TextConfig', **TEXT, **options)


def both(kind, **options):
  """CLIPModel or SiglipModel, small; with a scale whose exponential is a plain number."""

  def make():
    import torch
    import transformers

    config = getattr(transformers, f'{kind}Config')(text_config=TEXT | options, vision_config=IMAGE, projection_dim=10)
    net = seeded(lambda: getattr(transformers, f'{kind}Model')(config))
    with torch.no_grad():
      net.logit_scale.fill_(1.5 if kind == 'CLIP' else 5.0)
    return net

  return make


def opened(kind):
  """Opens what jssl writes of a whole model: the tower."""

  def load(folder):
    import transformers

    return getattr(transformers, f'{kind}TextModel').from_pretrained(folder)

  return load


def modernbert(net, ids):
  import torch

  real, net = ids != 0, getattr(net, 'model', net)
  with torch.no_grad():
    out = net(input_ids=torch.tensor(ids), attention_mask=torch.tensor(real), output_hidden_states=True)
  found = np.stack([x.numpy() for x in out.hidden_states]) * real[..., None]  # the last of theirs is normalised
  return dict(layers=found[:-1], tokens=found[-1], pooled=found[-1][:, 0])


def modernbert_heads(name):
  def theirs(net, ids):
    import torch

    with torch.no_grad():
      logits = net(input_ids=torch.tensor(ids), attention_mask=torch.tensor(ids != 0)).logits.numpy()
    found = modernbert(net, ids)
    if name == 'classifier':
      found.pop('pooled')
      return found | dict(classifier=logits)
    return found | dict(masked_lm=logits * (ids != 0)[..., None])

  return theirs


PROJECTION = dict(projection=lambda net, head, features, ids: head(features.pooled))
CASES = {
  'clip, text': Case(
    'clip:text', both('CLIP', eos_token_id=END), lambda: TEXTS, whole_clip, dict(part='text'),
    PROJECTION | dict(scale=lambda net, head, features, ids: head()),
  ),
  'clip, text, written': Case(
    'clip:text', both('CLIP', eos_token_id=2, hidden_act='gelu'), lambda: TEXTS, clip, dict(part='text'), load=opened('CLIP')
  ),
  'clip, text alone': Case('clip_text_model', tower('CLIP', 'TextModel', eos_token_id=END), lambda: TEXTS, clip),
  'clip, text with its projection': Case(
    'clip_text_model', tower('CLIP', 'TextModelWithProjection', eos_token_id=2, projection_dim=7), lambda: TEXTS, projected_clip,
    heads=PROJECTION,
  ),
  'siglip, text': Case(
    'siglip:text', both('Siglip', projection_size=10), lambda: PADDED, whole_siglip, dict(part='text'),
    dict(scale=lambda net, head, features, ids: head(0.5)),
  ),
  'siglip, text, written': Case('siglip:text', both('Siglip'), lambda: PADDED, siglip, dict(part='text'), load=opened('Siglip')),
  'siglip, text alone': Case('siglip_text_model', tower('Siglip', 'TextModel'), lambda: PADDED, siglip),
  'modernbert': Case('modernbert', transformer('ModernBertModel', 'ModernBertConfig', **ALTERNATING), lambda: LONG, modernbert),
  'modernbert, masked tokens': Case(
    'modernbert', transformer('ModernBertForMaskedLM', 'ModernBertConfig', **ALTERNATING), lambda: LONG, modernbert_heads('masked_lm'),
    heads=dict(masked_lm=lambda net, head, features, ids: head(features.tokens, net.table) * (ids != 0)[..., None]),
  ),
  'modernbert, classes': Case(
    'modernbert', transformer('ModernBertForSequenceClassification', 'ModernBertConfig', **ALTERNATING, classifier_pooling='mean',
      num_labels=3), lambda: LONG, modernbert_heads('classifier'),
    heads=dict(classifier=lambda net, head, features, ids: head(features.pooled)),
  ),
}  # fmt: skip
