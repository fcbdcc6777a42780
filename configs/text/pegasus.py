"""PEGASUS. Zhang, Zhao, Saleh, Liu, ICML 2020. arXiv:1912.08777, section 3.1: principal sentences are written from the rest.

In the last part of the run a few summaries are learned from: first sentences of news, told from what follows.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.base(scale, data='lee_gaps', batch_size=8, epochs=None, steps=240)
  c.number = 247
  c.parts = (
    'importance of a sentence: ROUGE-1 F1 with the rest of its document, each independently, words counted as often as they occur (Ind-Orig)',
    '30 % of the sentences, the most important, are gaps (paper: 30 % base, 45 % large, from memory)',
    'each gap is replaced by one mask token, and left in place with probability 0.2 (paper: in the large model alone, from memory)',
    'encoder and causal decoder: the gap sentences, in order, are generated from the rest; output weights tied to the embeddings',
    'then fine-tuning on few summaries: 60 first sentences of news, from what follows',
    'rate that falls with the inverse root of the step, as in the official code; AdamW (paper: Adafactor)',
    'greedy summaries: ROUGE-1 and ROUGE-2; the claim is on the likelihood of the summaries',
    'rows of gaps drawn at random, and of no pre-training',
    dict(part='leading sentences; choice one after the other (Seq); distinct words (Uniq)', out='open', why='random ones alone'),
    dict(part='masked language modelling in the encoder beside (base model)', out='open', why='gap sentences alone'),
    dict(part='fine-tuning with label smoothing 0.1, beam search with a length penalty', out='open', why='plain cross-entropy, greedy search'),
    dict(part='sinusoidal positions', out='open', why='learned positions'),
    dict(part='C4 and HugeNews, twelve data sets of summaries', out='data', why='no package ships them; 300 documents of news'),
    dict(part='16 layers, 1024 wide, 500,000 steps', out='scale', why='two and one, 64 wide, 240 steps'),
  )
  c.backbone = common.transformer(scale, 'bert', width=64, depth=2, heads=4, dropout=0.1, std=0.1)
  c.heads.decoder = dict(name='decoder', depth=1, heads=4, dropout=0.1, std=0.1)
  c.heads.lm = dict(name='lm_head')
  c.optimizer.learning_rate = dict(name='rsqrt', peak=2e-3, warmup='10%', timescale='10%')
  c.passes.gaps = dict(name='seq2seq')
  c.passes.summary = dict(name='seq2seq', source='body', text='summary')
  for name in ('gaps', 'summary'):
    of = tuple(f'{name}.{output}' for output in ('logits', 'labels', 'valid'))
    c.losses[name] = dict(name='token_cross_entropy', of=of)
    c.metrics[f'{name}_accuracy'] = dict(name='token_accuracy', of=of)
  c.phases = (dict(steps='80%', losses=('gaps',)), dict(losses=('summary',)))
  c.evaluators = dict(summary=dict(name='summaries'))
  c.claim = dict(
    metric='summary_nll', beats=('random sentences', 'no pretraining'), margin=0.02, lower=True,
    variants={
      'random sentences': ('passes.gaps.source=random_ids', 'passes.gaps.text=random_target'),
      'no pretraining': ('phases=()', 'losses.gaps.weight=0.0', f'steps={common.at(scale)(small=48, tiny=8)}'),
    },
  )  # fmt: skip
  return c
