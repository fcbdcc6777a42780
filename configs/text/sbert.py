"""Sentence-BERT (SBERT). Reimers, Gurevych, EMNLP 2019. arXiv:1908.10084, section 3: a classifier of pairs on a siamese encoder.

The claim is the ablation of Table 6, where |u - v| matters most, by the accuracy of pairs: cosines of sentences of the grammar do not follow
its classes, in which sentences that exclude each other differ in a word.

The scale `nli` is SBERT-NLI-base, from the folder bert-base-uncased of Hugging Face, on the pairs of SNLI and MultiNLI in nli.jsonl, one a line
as {"sentence1": ..., "sentence2": ..., "label": ...}. From memory: rate, warm-up and batch of section 3.1, and the figure, of STSb; the length,
decay and clipping are those of the example script of Sentence Transformers.
"""

from jssl.configs import common

PUBLISHED = dict(nli=dict(metric='sts_spearman', value=0.7703, source='arXiv:1908.10084, Table 1', hardware=None, hours=None))


def get_config(scale='small'):
  c = common.sentences(scale, data='entailment', batch_size=64, steps=500)
  c.parts = (
    'one encoder for both sentences; the mean of all tokens is the embedding',
    'softmax of W [u; v; |u - v|], three classes, cross-entropy; the classifier is not used after training',
    'rows of [u; v] and of |u - v| alone',
    'begins from a masked language model of one block, without dropout (paper: BERT and RoBERTa, 0.1)',
    'Spearman of cosines with degrees of likeness, beside the accuracy of pairs',
    dict(part='regression of cosines', out='open', why='no row runs it: the objective is cosine_regression'),
    dict(part='triplet objective of Euclidean distances, margin 1', out='open', why='no row runs it: the objective is euclidean_triplet'),
    dict(part='[CLS] and maximum as pools; other concatenations of Table 6', out='open', why='no row runs them'),
    dict(part='SNLI and MultiNLI; STS and transfer tasks', out='data', why='no package ships them; a grammar of words in taxonomies'),
    dict(part='BERT and RoBERTa, base and large; one epoch of a million pairs at 2e-5', out='scale', why='500 steps of 64 at 2e-3'),
  )
  c.data.update(common.start_ids(scale, 16))
  c.backbone = common.start(scale, 'masked_lm', **common.at(scale)(small=dict(depth=1), tiny={}))
  common.pair_classes(c, widths=(3,), of=('u', 'v', 'distance'))
  c.optimizer.learning_rate.peak = 2e-3
  c.claim = dict(
    metric='pair_top1', beats=('random_init', 'u and v'), margin=0.03,
    variants={'u and v': ("heads.relation.of=('u', 'v')",), 'distance alone': ("heads.relation.of=('distance',)",)},
    without='u and v',
  )  # fmt: skip
  return c


def nli():
  c = common.base(data='nli.jsonl', batch_size=16)
  c.data.update(tokenizer='bert-base-uncased/tokenizer.json', length=128)
  c.backbone = dict(name='bert_from', folder='bert-base-uncased', dropout=0.1, pool='mean')
  common.pair_classes(c, second='positive', label='label', widths=(3,), of=('u', 'v', 'distance'))
  c.optimizer = dict(name='adamw', learning_rate=dict(name='linear_decay', peak=2e-5, warmup='10%'), weight_decay=0.01, clip=1.0)
  c.evaluators = {}
  return c
