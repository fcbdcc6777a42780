"""CoCa. Yu, Wang, Vasudevan, Yeung, Seyedhosseini, Wu, TMLR 2022. arXiv:2205.01917, section 3.2: contrast and captions in one pass of a model.

The paper's finding is that captions beside contrast make better embeddings at little more cost (section 4.3, Table 8). The rival, contrast
alone, trains one and a half times as long here, which takes as many operations: 1.13 and .75 GFLOP a step. What captions act on is how much
the decoder reads off an image: how much more likely a caption is with its own image than with another.

The scale `jft_align` is CoCa-Base (Table 1), on pairs of a user's own; layers as in the official code (google-research, CoCa Layers). From
memory of Table 1, Table 4 and section 4.1: sizes, 288 pixels in patches of 18, rate, decay, steps, batch and figure. Hours are not published
for this size. The sizes give the parameters of Table 1, 86 M and 297 M, with a table of logits of its own and one hidden layer a block.
Deviates: AdamW (paper: Adafactor, with the same decays); learned positions (official code: sinusoidal); attention of poolers as wide as the
tokens (official code: four times as wide); WordPiece (paper: SentencePiece); no last epoch at 576 pixels.
"""

from jssl.configs import common

PUBLISHED = dict(
  jft_align=dict(metric='imagenet_zero_shot_top1', value=0.826, source='arXiv:2205.01917, Table 4', hardware=None, hours=None),
)


def get_config(scale='small'):
  full = scale == 'jft_align'
  c = published() if full else common.image_captions(scale, batch_size=32, epochs=40)
  c.parts = (
    'image encoder, a ViT on a convolution (paper: ViT)',
    'causal text decoder, whose first half reads the text alone and whose second half attends to the image too',
    'learned class token at the end of the text, its embedding for contrast; it does not attend to padding',
    'attentional poolers, one on the other: 16 queries for captions (paper: 256), one more for contrast',
    'contrast of both directions, weight 1, learned temperature; captions with their first tokens given, weight 2',
    'zero-shot classification, retrieval, captions',
    dict(part='pooler of a new task on the frozen encoder; video', out='open', why='not run'),
    dict(part='classification of answers and pairs by the multimodal decoder; fine-tuning', out='open', why='not run'),
    dict(part='CoCa-Large and CoCa', out='scale', why='two layers of 48; CoCa-Base'),
    dict(part='JFT-3B, ALIGN; ImageNet, Kinetics, COCO, VQA', out='data', why='no package ships them; captions of digits, or pairs of a user'),
  )
  if not full:
    c.backbone = common.transformer(scale, 'vit', width=48, depth=2, heads=4, stem=(32,), patch=1, std=0.0)
    c.backbone.update(common.at(scale)(small=dict(queries=16), tiny=dict(queries=3)))
    c.heads.text = common.transformer(scale, 'text_tower', width=48, depth=2, heads=4, std=0.1, on='data.ids')
    c.heads.decoder = common.transformer(scale, 'decoder', width=48, depth=2, heads=4, std=0.1)
  c.backbone.update(pool='query', mask_token=False)
  c.heads.text.update(pool='cls', activation='gelu')
  c.heads.lm = dict(name='lm_head', on='decoder', vocabulary='data.ids.size', transform=False, tied=False)
  c.heads.scale = dict(name='scale', init=1 / 0.07)
  c.passes.caption = dict(name='apply', network=('decoder', 'lm'), on=('views.tokens[1]', 'views.tokens[0]'))
  c.passes.real = dict(name='sample', sampler=dict(name='real_tokens', names=('ids',)))
  of = dict(q='views.q', k='views.k', temperature='nets.scale.temperature')
  c.losses.contrast = dict(name='info_nce', of=of, pairs='all', weight=2.0, chunk=1024 if full else None)  # the sum of both directions
  c.losses.caption = dict(name='token_cross_entropy', of=('caption.out[:-1]', 'batch.ids[1:]', 'real.ids[1:]'), weight=2.0)
  c.optimizer.parts = (dict(of='lm.table', decay=1.0),)
  c.evaluators.captions = dict(name='captions')
  c.claim = dict(
    metric='retrieval_t2i_recall1',
    beats=('contrastive',),
    margin=0.01,
    without='contrastive',
    manipulation=dict(metric='captions_gain', beats=('contrastive',), margin=0.1),
    variants=dict(contrastive=('losses.caption.weight=0.0', 'epochs=60')),  # as many operations
  )
  return c


def published():
  c = common.image_texts(batch_size=65536, steps=500_000, size=288, length=64, vocabulary=64_000, mean=0.5, std=0.5)
  c.backbone = dict(name='vit_base', patch=18, queries=256)
  c.heads.text = dict(name='text_tower', on='data.ids', width=768, depth=12, heads=12, epsilon=1e-6)
  c.heads.decoder = dict(name='decoder', depth=12, heads=12)
  c.heads.image_end = dict(name='linear', dim=768, bias=False)
  c.heads.text_end = dict(name='linear', dim=768, bias=False, on='text')
  c.passes.views = dict(name='embed', towers=('backbone', 'text'), heads=dict(backbone=('image_end',), text=('text_end',)))
  rate = dict(name='linear_decay', peak=8e-4, warmup='2%')
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.01, b1=0.9, b2=0.999)
  c.micro_batches = 8
  return c
