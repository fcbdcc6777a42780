"""A small GPT. Radford, Wu, Child, Luan, Amodei, Sutskever 2019, as Brown et al. train it. arXiv:2005.14165, section 2.1.

A causal transformer of three blocks of width 128 on English from packages. What departs: word pieces of lower-case text in place of bytes,
so that it shares its ids with the masked start; one passage a row, between [CLS] and [SEP], in place of packed text; no sparse attention.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.english(scale)
  c.parts = (
    'cross-entropy of the next token, attention to earlier tokens alone',
    'blocks with normalisation first and a last one, learned positions, tanh GELU, table shared with the logits',
    'kernels into the residual stream scaled by the number of blocks',
    'AdamW, linear warm-up and cosine to 0 (paper: to a tenth of the peak, beta2 of 0.95, gradients clipped at 1)',
    'perplexity of held-out passages, beside unigram and bigram counts',
    dict(part='byte-level tokens', out='open', why='lower-case word pieces, shared with the masked start'),
    dict(part='packed documents; sparse attention in alternate blocks; rising batch size', out='open', why='one short passage a row'),
    dict(part='tasks from few examples in the prompt', out='scale', why='out of reach of three blocks of 128'),
    dict(part='Common Crawl, WebText, books', out='data', why='no package ships them; passages from packages'),
    dict(part='125M to 175B parameters, 300B tokens', out='scale', why='3 blocks of 128, 2,000 steps'),
  )
  c.optimizer.learning_rate.peak = 3e-3
  c.backbone = common.transformer(scale, 'causal_lm', width=128, depth=3, heads=4)
  c.passes.told = dict(name='causal_lm')
  c.losses.told = dict(name='token_cross_entropy', of=('told.logits', 'told.labels', 'told.valid'))
  c.metrics.accuracy = dict(name='token_accuracy', of=('told.logits', 'told.labels', 'told.valid'))
  c.evaluators = dict(next=dict(name='next_tokens'))
  c.claim = None
  return c
