"""MRM. Zhou, Lian, Wang, Yu, ICLR 2023. arXiv:2301.13155, section 3.

Pixels weigh a tenth of what they weigh in the paper.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.small_masked(scale, data='digit_reports', patch=4, epochs=100)
  c.number = 13
  c.parts = (
    'half of 8 patches masked and removed before the encoder (paper: three quarters of 196)',
    'decoder predicts masked patches at twice the resolution, each patch standardised, mean squared error, weight 0.1 (paper: 1)',
    'half of the words of the report masked; they alone are predicted (official code: every token, padding too)',
    'mean of visible patch tokens, by a linear map, added to every word embedding of a transformer that reads both sides',
    'reports of 17 words from a template, one token a word (official code: whole words of several pieces)',
    'linear and few-shot probes of the image encoder; image alone and report alone as rivals',
    dict(part='fine-tuning of the image encoder on 1, 10 and 100 % of the labels', out='open', why='features are probed frozen'),
    dict(part='start from given weights, an MAE; crops and flips; class token', out='open', why='from scratch, canvases as they are'),
    dict(part='MIMIC-CXR; NIH ChestX-ray, CheXpert, RSNA, COVID-19, SIIM', out='data', why='no package ships them; canvases of two digits'),
    dict(part='ViT-B, decoders of 4 blocks of 768 and 6 of 384, 200 epochs', out='scale', why='2 blocks of 48, decoders of one, 100 epochs'),
  )
  c.view = dict(name='scaled', names=('image', 'high'), mean=0.3, std=0.35)
  c.heads.decoder = common.mae_decoder(scale, width=48, depth=1, heads=4, dim=64)  # 8x8 of the high resolution
  c.heads.reporter = common.transformer(
    scale, 'masked_text_decoder', vocabulary='data.text.size', length='data.text.length', width=48, depth=1, heads=4
  )
  half = dict(name='random_mask', ratio=0.5)
  c.passes.seen = dict(name='masked_encode', mask=half, target_view=1)
  c.passes.rebuilt = dict(name='apply', network='decoder', on=('seen.tokens', 'seen.restore'))
  c.passes.gaps = dict(name='hide', on='batch.text', mask=dict(name='random_steps', ratio=0.5))
  c.passes.report = dict(name='apply', network='reporter', on=('batch.text', 'gaps.mask', 'seen.pooled'))
  c.losses.image = dict(name='masked_mse', of=('rebuilt.out', 'seen.patches', 'seen.mask'), weight=0.1)
  c.losses.text = dict(name='token_cross_entropy', of=('report.out', 'batch.text', 'gaps.mask'))
  c.claim = dict(
    metric='fewshot_top1_10shot',
    beats=('raw_input', 'random_init', 'image_alone', 'report_alone'),
    margin=0.01,
    variants=dict(image_alone=('losses.text.weight=0.0',), report_alone=('losses.image.weight=0.0',)),
  )
  return c
