"""Self-guided contrast of sentences. Kim, Yoo, Lee, ACL 2021. arXiv:2106.07345, section 3: layers of a fixed copy of the encoder are the views.

The scale `stsb` is BERT-base with training.py of the official code, on the sentences of STS-B in stsb.jsonl, one a line as {"text": ...}. Its
figure is the mean of seven tasks, which need their own files, from memory.
Left out there: the checkpoint chosen by the development set of STS-B, every 50 steps.
"""

from jssl.configs import common

PUBLISHED = dict(
  stsb=dict(metric='sts_spearman', value=0.7462, source='arXiv:2106.07345, Table 2', hardware=None, hours=None),
)  # fmt: skip


def get_config(scale='small'):
  c = common.sentences(scale, data='simlex', steps=96, length=8, depth=5, pool='cls')
  c.number = 74
  c.parts = (
    'two copies of the encoder: one fixed, without dropout, and one that is trained; its embeddings are fixed too',
    '[CLS] of the trained copy agrees with the mean token of each layer of the fixed one, embeddings included; temperature 0.01',
    'no other [CLS] and no other layer of the same sentence is a negative (SG-OPT)',
    'one head for both: two linear layers with GELU, not used after training',
    'squared distance from the fixed parameters, weight 0.1',
    'rows without the distance, of contrast under dropout (SimCSE), and of the start',
    dict(part='earlier forms of the loss (SG, and its first two changes)', out='open', why='the last one alone'),
    dict(part='sentences of STS-B, STS and SentEval', out='data', why='no package ships them; the words of SimLex-999'),
    dict(part='BERT-base and large, and fine-tuned ones; one epoch of batches of 16 at 5e-5', out='scale', why='five blocks of MiniLM'),
  )
  c.evaluators = dict(sts=dict(name='sts'))
  c = self_guided(c, widths=common.at(scale)(small=(1024, 1024), tiny=(32, 32)))
  simcse = dict(name='simcse', of=('sentence.q[0]', 'sentence.q[1]'), temperature=0.05)
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'simcse'), margin=0.01,
    variants={'simcse': ("view={'name': 'duplicate'}", f'losses.guided={simcse}'), 'free': ('losses.guided.anchor=0.0',)},
    without='simcse',
  )  # fmt: skip
  return c


def self_guided(c, widths):
  c.view = dict(name='columns', names=('ids',))
  c.teacher = dict(name='frozen', networks=('backbone',))
  c.heads.projector = dict(name='mlp', widths=widths, norm='none', act='gelu', final_act='gelu')
  c.passes.sentence = dict(name='embed', heads=('projector',))
  c.passes.guide = dict(name='encode', on='batch.ids', teacher=True)
  c.passes.layers = dict(name='mean_layers', on='guide.layers')
  c.passes.projected = dict(name='apply', network='projector', on='layers.out')
  c.passes.drift = dict(name='drift')
  c.losses.guided = dict(name='self_guided', of=dict(q='sentence.q[0]', layers='projected.out', drift='drift.out'))
  c.optimizer.parts = tuple(dict(of=(f'backbone.{name}',), rate=0.0) for name in ('word', 'position', 'type', 'norm'))
  return c


def stsb():
  rate = dict(name='linear_decay', peak=5e-5, warmup='10%')
  return self_guided(common.bert_sentences('stsb.jsonl', batch_size=16, length=128, rate=rate, b2=0.9), widths=(4096, 4096))
