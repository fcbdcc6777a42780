"""SimCSE. Gao, Yao, Chen, EMNLP 2021. arXiv:2104.08821, Eq. 1: dropout is the only augmentation.

As in the paper a text is the state of [CLS], after five blocks of MiniLM here, where all texts are still alike. Texts are the words of
SimLex-999, of which people judged 999 pairs; on the pairs of the Lee documents, 435 of 30, seeds differ by more than dropout does.

The scale `wiki1m` is the unsupervised BERT-base of appendix A with run_unsup_example.sh of the official code, from the folder
bert-base-uncased of Hugging Face, on a million sentences in wiki1m.jsonl, one a line as {"text": ...}. Its figure is the mean of seven tasks,
which need their own files.
Left out: the checkpoint chosen by the development set of STS-B, every 125 steps; a thousandth of the sentences, which is held out.
"""

from jssl.configs import common

PUBLISHED = dict(
  wiki1m=dict(
    metric='sts_spearman', value=0.7625, source='arXiv:2104.08821, Table 5; README of the code', hardware='1 RTX 3090', hours=None,
  ),
)  # fmt: skip


def get_config(scale='small'):
  c = common.sentences(scale, data='simlex', steps=48, length=8, depth=5, pool='cls')
  c.number = 151
  c.parts = (
    'the same text twice, with independent dropout of 0.1, of attention probabilities too, as the only augmentation',
    'in-batch softmax of cosines, one way, temperature 0.05, with gradient to both views',
    '[CLS] as the embedding; a head of one linear layer and tanh in training alone',
    'begins from five blocks of MiniLM, which were trained by contrast (paper: BERT and RoBERTa)',
    "Spearman with people's judgements; rows of the start, and of no dropout",
    dict(part='rows of other augmentations (crops, deletions), other dropout, the same dropout twice', out='open', why='no dropout alone'),
    dict(part='masked language modelling beside, weight 0.1', out='open', why='an option of the paper that is not run'),
    dict(part='alignment and uniformity during training; singular values', out='open', why='not reported'),
    dict(part='supervised form: entailments as positives, contradictions as hard negatives', out='data', why='no package ships NLI pairs'),
    dict(part='a million sentences of Wikipedia; STS and transfer tasks', out='data', why='none packaged; the words of SimLex-999'),
    dict(part='BERT and RoBERTa, base and large; one epoch at 3e-5', out='scale', why='five blocks of MiniLM, 48 steps of 32 at 3e-4'),
  )
  c.heads.projector = dict(name='mlp', widths=common.at(scale)(small=(384,), tiny=(16,)), norm='none', final_act='tanh')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='simcse', of=('views.q', 'views.k'), pairs=((0, 1),), temperature=0.05)
  c.evaluators = dict(sts=dict(name='sts'))
  c.claim = dict(
    metric='sts_spearman', beats=('start', 'no dropout'), margin=0.01,
    variants={'no dropout': ('backbone.dropout=0.0',)},
  )  # fmt: skip
  return c


def wiki1m():
  c = common.base(data='wiki1m.jsonl', batch_size=64)
  c.data.update(tokenizer='bert-base-uncased/tokenizer.json', length=32, held_out=0.001)
  c.backbone = dict(name='bert_from', folder='bert-base-uncased', dropout=0.1, pool='cls')
  c.view = dict(name='duplicate')
  c.heads.projector = dict(name='mlp', widths=(768,), norm='none', final_act='tanh')
  c.passes.views = dict(name='embed', heads=('projector',))
  c.losses.nce = dict(name='simcse', of=('views.q', 'views.k'), pairs=((0, 1),), temperature=0.05)
  rate = dict(name='linear_decay', peak=3e-5)  # the optimiser of transformers' Trainer, which clips by default
  c.optimizer = dict(name='adamw', learning_rate=rate, weight_decay=0.0, clip=1.0)
  c.evaluators = {}
  return c
