"""E5. Wang, Yang, Huang, Jiao, Yang, Jiang, Majumder, Wei 2022. arXiv:2212.03533, sections 4 and 5: pairs first, then labels and a teacher.

The scale `ccpairs` is the pre-training of E5-base, from the folder bert-base-uncased of Hugging Face, on pairs in ccpairs.jsonl, one a line
as {"query": ..., "positive": ...}. `marco` is its fine-tuning, from the folder e5-base-unsupervised, on labelled pairs in marco.jsonl that also
have "negatives", seven texts, and "teacher", the eight scores of a cross-encoder for the positive and the negatives. The texts in both files
begin with "query: " or "passage: ". From memory: rates, warm-ups, decay, hours and figures of both; the lengths of `marco`.
Left out: the consistency filter of pairs, which is part of making the file.
"""

from jssl.configs import common

PUBLISHED = dict(
  ccpairs=dict(metric='beir_ndcg10', value=0.429, source='arXiv:2212.03533, Table 1', hardware='32 V100', hours=24),
  marco=dict(metric='beir_ndcg10', value=0.487, source='arXiv:2212.03533, Table 2', hardware='8 V100', hours=None),
)


def get_config(scale='small'):
  c = common.sentences(scale, data='king_james_passages', steps=240, length=48, depth=1)
  c.parts = (
    'contrast of queries and passages in the batch by cosine, temperature 0.01, one way; means of the states of all tokens',
    'prefixes "query: " and "passage: ", by which one encoder serves both',
    'then labelled pairs with hard negatives, three a query (paper: seven), which the first phase finds',
    'KL divergence from the ranking of a cross-encoder that learns with the same negatives, and contrast with weight 0.2',
    dict(part='consistency filter: a pair stays where a first model ranks it among the top 2 of a million', out='data', why='clean pairs'),
    dict(part='270 million pairs of CCPairs; MS MARCO, NQ and NLI; BEIR and MTEB', out='data', why='none packaged; the King James Bible'),
    dict(part='MiniLM and BERT as the starts; 20,000 steps of 32,768', out='scale', why='one block of MiniLM, which knows pairs; 240 of 32'),
  )
  c.data.prefixes = ('query: ', 'passage: ')
  c.backbone.update(common.at(scale)(small={}, tiny=dict(length=16)))
  c.heads = dict(ranker=dict(c.backbone, on='data.ids', pool='cls', dropout=0.0), relevance=dict(name='linear', on='ranker', dim=1))
  c.passes.pairs = dict(name='embed', view=dict(name='columns', names=('query', 'ids')))
  c.passes.labelled = dict(name='embed', view=dict(name='columns', names=('query', 'ids'), lists=('negatives',)))
  both = dict(name='joined', first='query', names=('ids',), lists=('negatives',))
  c.passes.judged = dict(name='embed', view=both, towers='ranker', heads=('relevance',))
  c.losses.pairs = dict(name='info_nce', of=dict(q='pairs.q[0]', k='pairs.q[1]'), temperature=0.01)
  c.losses.update(labelled_losses('judged.score'), ranking=dict(name='first_cross_entropy', of=('judged.score',)))
  mined = dict(negatives=dict(name='hard_negatives', count=3, query='query', passage='ids', by='backbone', every='100%'))
  c.phases = (
    dict(steps='50%', losses=('pairs',), train=('backbone',)),
    dict(steps='20%', losses=('ranking',), train=('ranker', 'relevance'), start=dict(ranker='backbone'), refresh=mined),
    dict(losses=('labelled', 'distilled'), train=('backbone',), refresh=mined),
  )
  c.evaluators = dict(retrieval=dict(name='retrieval', documents='test', ks=(10, 20)))
  c.claim = dict(
    metric='retrieval_ndcg10', beats=('raw_input', 'start', 'pairs_alone'), margin=0.01, without='pairs_alone',
    variants=dict(pairs_alone=("phases=({'losses': ('pairs',), 'train': ('backbone',)},)",)),
  )  # fmt: skip
  return c


def labelled_losses(scores):
  of = dict(q='labelled.q[0]', k='labelled.q[1]', negatives='labelled.q[2:]')
  ranked = ('labelled.q[0]', 'labelled.q[1:]', scores)
  return dict(
    labelled=dict(name='info_nce', of=of, temperature=0.01, weight=0.2),
    distilled=dict(name='ranking_distillation', of=ranked, temperature=0.01),
  )


def published(data, folder, length, peak, warmup):
  c = common.base(data=data, batch_size=256)
  c.data.update(tokenizer=f'{folder}/tokenizer.json', length=length)
  c.backbone = dict(name='bert_from', folder=folder, dropout=0.1, pool='mean')
  c.view = dict(name='columns', names=('ids', 'positive'))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='linear_decay', peak=peak, warmup=warmup), weight_decay=0.01, clip=1.0)
  c.evaluators = {}
  return c


def ccpairs():
  c = published('ccpairs.jsonl', 'bert-base-uncased', 128, 2e-4, '1000 steps')
  c.update(batch_size=32768, steps=20_000, epochs=None, micro_batches=64)
  c.passes.pairs = dict(name='embed')
  c.losses.pairs = dict(name='info_nce', of=dict(q='pairs.q[0]', k='pairs.q[1]'), temperature=0.01, chunk=1024)
  return c


def marco():
  c = published('marco.jsonl', 'e5-base-unsupervised', 192, 2e-5, '400 steps')
  c.epochs = 3
  c.view.lists = ('negatives',)
  c.passes.labelled = dict(name='embed')
  c.losses = labelled_losses('batch.teacher')
  return c
