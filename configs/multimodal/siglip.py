"""SigLIP. Zhai, Mustafa, Kolesnikov, Beyer, ICCV 2023. arXiv:2303.15343, Algorithm 1: each pair of a batch is a match or not, judged alone.

The paper's finding is that a sigmoid of each pair does better than a softmax over the batch where batches are small (section 4.2), as here.
What it acts on is the level of similarities: one threshold, -b / t, tells all pairs apart, and needs no other pairs beside them.

The scale `webli` is the ViT-B/16 of Table 1 at a batch of 32,768, from nothing, on pairs of a user's own. Networks, t' and b as in
big_vision (two_towers.py, text_transformer.py). From memory of Table 1 and section 4: 9 billion pairs, 16 tokens of 32,000, rate and decay, the
figure, 5 days of 32 chips (a public reproduction on LAION takes 3e-4 and 3e-5 at this batch); warm-up of 10,000 steps is ours.
Deviates: texts as WordPiece (paper: SentencePiece of C4); images are centre-cropped (big_vision: squeezed); Adam (paper: Adam or Adafactor).
"""

from jssl.configs import common

PUBLISHED = dict(
  webli=dict(metric='imagenet_zero_shot_top1', value=0.734, source='arXiv:2303.15343, Table 1', hardware='32 TPU v4 chips', hours=120),
)


def get_config(scale='small'):
  c = common.image_captions(scale, batch_size=32, epochs=14)
  c.parts = (
    'sigmoid of the similarity of every pair of the batch: a match or not',
    "learned temperature and bias, t' = log 10 and b = -3.4 = -log 31 at the start, the odds of a match (paper: -10, for batches of 32,768)",
    'bidirectional text transformer read at its last token, padded to one length, with a linear map',
    'zero-shot classification and retrieval; beta 0.95 for the second moment of Adam',
    'pairs in chunks that go round the ring of devices; ViT-B/16 pooled by attention: at the scale webli',
    dict(part='SigLiT: an image tower that was trained before, locked', out='open', why='a variant that is not built'),
    dict(part='pretrained image tower without weight decay', out='open', why='a variant that is not built; from nothing here'),
    dict(part='100 languages (mSigLIP); batches of up to a million', out='scale', why='English, 32 or 32,768 a batch'),
    dict(part='WebLI, ImageNet, COCO, XM3600', out='data', why='no package ships them; captions of digits, or pairs of a user'),
  )
  c.heads.text = common.transformer(scale, 'text_tower', width=64, depth=2, heads=4, std=0.1, on='data.ids', **TOWER)
  c.heads.scale = dict(SCALE, bias=-3.4)
  c.losses.pairs = dict(name='siglip', of=OF)
  c.optimizer.b2 = 0.95
  c.optimizer.parts = (dict(of='scale', rate=20.0),)  # t' and b have some hundred steps in place of the paper's 10^5
  softmax = dict(name='pairwise_info_nce', of=dict(z='views.q', scale='nets.scale'))
  c.claim = dict(
    metric='retrieval_t2i_recall1',
    beats=('softmax',),
    margin=0.01,
    without='softmax',
    manipulation=dict(metric='retrieval_eer', beats=('softmax',), margin=0.002, lower=True),
    variants=dict(softmax=(f'losses.pairs={softmax}', "heads.scale={'name': 'scale'}")),
  )
  return c


TOWER = dict(causal=False, pool='last', activation='gelu_tanh', epsilon=1e-6)
SCALE = dict(name='scale', init=10.0, bias=-10.0)
OF = dict(q='views.q[0]', k='views.q[1]', t_prime='nets.scale.log_scale', bias='nets.scale.bias')


def webli():
  c = common.image_texts(batch_size=32768, steps=274_658, length=16, vocabulary=32_000, mean=0.5, std=0.5)
  c.backbone = dict(name='vit_base', patch=16, pool='attention', activation='gelu_tanh', mask_token=False)
  c.heads.text = dict(name='text_tower', on='data.ids', width=768, depth=12, heads=12, out=768, **TOWER)
  c.heads.scale = SCALE
  c.passes.views = dict(name='embed', towers=('backbone', 'text'))
  c.losses.pairs = dict(name='siglip', of=OF, chunk=1024)
  rate = dict(name='cosine', peak=1e-3, warmup='10000 steps')
  # A decay of 1e-4 a step at the peak: big_vision multiplies it by the schedule alone, and not by its peak.
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=1e-4 / 1e-3, b2=0.95, clip=1.0)
  c.evaluators.retrieval.heads = (None, None)
  c.micro_batches = 8
  return c
