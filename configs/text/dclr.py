"""DCLR. Zhou, Zhang, Zhao, Wen, ACL 2022. arXiv:2205.00656, section 4: false negatives are masked, and noise is added to the negatives.

The guide and the encoder begin from the masked language model that jssl ships. The guide is trained first, by contrast under dropout.

The scale `wiki1m` is BERT-base by run.sh of the official code, on sentences as in `simcse:wiki1m`, with the folder
unsup-simcse-bert-base-uncased as the guide. Its figure is the mean of seven tasks, which need their own files, from memory.
Left out there: the checkpoint chosen by these tasks every 125 steps. The loss is the paper's, see the objective `dclr`.
"""

from jssl.configs import common

PUBLISHED = dict(
  wiki1m=dict(metric='sts_spearman', value=0.7722, source='arXiv:2205.00656, Table 1; README of the code', hardware='8 RTX 3090', hours=None),
)  # fmt: skip


def get_config(scale='small'):
  c = common.sentences(scale, steps=300, length=32)
  c.number = 159
  c.parts = (
    'two dropout views, in-batch softmax of cosines, temperature 0.05; [CLS]; a head of one linear layer and tanh in training alone',
    'a guide, trained by contrast under dropout (SimCSE) and then fixed: negatives of which its cosine is 0.9 or more are left out',
    'the guide is as large as the encoder and reads under dropout, as in the official code',
    'as many samples of a standard normal distribution as sentences, as further negatives',
    'four steps of gradient ascent of the noise on the contrastive loss, of length 1e-3, without gradient to the encoder',
    'rows of contrast alone (SimCSE) and of noise without the guide',
    dict(part='row of the guide without noise', out='open', why='noise is always there'),
    dict(part='large encoders, which begin from SimCSE', out='scale', why='two blocks, 96 wide'),
    dict(part='a million sentences of Wikipedia; STS', out='data', why='no package ships them; news and the Lee documents'),
    dict(part='BERT and RoBERTa; three epochs of batches of 128 at 3e-5', out='scale', why='200 steps of 32 at 3e-4'),
  )
  c.data.update(common.start_ids(scale, 32))
  c.backbone = common.start(scale, 'masked_lm', dropout=0.1, pool='cls')
  c.heads.guide = common.start(scale, 'masked_lm', on='data.ids', dropout=0.1, pool='cls')
  head = dict(name='mlp', widths=common.at(scale)(small=(96,), tiny=(16,)), norm='none', final_act='tanh')
  c.heads.projector, c.heads.guide_projector = head, dict(**head, on='guide')
  c.losses.guide = dict(name='simcse', of=('guide.q[0]', 'guide.q[1]'), temperature=0.05)
  c = debiased(c)
  c.phases = (
    dict(steps='33%', losses=('guide',), freeze=('backbone', 'projector')),
    dict(losses=('nce',), freeze=('guide', 'guide_projector')),
  )
  simcse = dict(name='simcse', of=('views.q[0]', 'views.q[1]'), temperature=0.05)
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'simcse'), margin=0.01,
    variants={'simcse': (f'losses.nce={simcse}',), 'noise alone': ('losses.nce.threshold=2.0',)},
    without='simcse',
  )  # fmt: skip
  return c


def debiased(c):
  c.passes.views = dict(name='embed', heads=('projector',))
  c.passes.guide = dict(name='embed', towers='guide', heads=('guide_projector',))
  c.passes.noise = dict(name='gaussian', mean='views.q[0]', log_variance='views.q[0]')
  of = dict(q='views.q[0]', k='views.q[1]', guide_q='guide.pooled[0]', guide_k='guide.pooled[1]', noise='noise.prior')
  c.losses.nce = dict(name='dclr', of=of, temperature=0.05, threshold=0.9)
  return c


def wiki1m():
  c = common.bert_sentences('wiki1m.jsonl', batch_size=128, epochs=3, rate=dict(name='linear_decay', peak=3e-5))
  c.view = dict(name='duplicate')
  c.heads.projector = dict(name='mlp', widths=(768,), norm='none', final_act='tanh')
  c.heads.guide = dict(c.backbone, folder='unsup-simcse-bert-base-uncased', on='data.ids')
  c.optimizer.parts = (dict(of=('guide',), rate=0.0),)
  c = debiased(c)
  c.passes.guide.heads = ()
  return c
