"""UMD. Hansen-Estruch, Vishwanath, Zhang, Tomar, 2024. arXiv:2406.17688, section 3.

Built: half of each batch is clean and masked by 0.75, the other half noised and masked by 0.375, so that each example is encoded
once, here as in both rivals: a masked autoencoder, all clean, and a diffusion transformer, all noised and unmasked.
Left out: labels and samples, as what is judged is the representation without noise. The official code judges its diffusion
transformer at level 50 of 1000, which is here judged without noise too.
"""

from jssl.configs import common


def get_config(scale='small'):
  c = common.diffusion(scale, epochs=40)
  c.number = 84
  c.parts = (
    'half of each batch clean and masked by 0.75, the other half noised and masked by 0.375; each example is encoded once',
    'loss of clean examples: pixels of masked patches; of noised ones: mean of noise on visible and pixels on masked patches; each half',
    'one encoder and decoder for both, blocks modulated by the level, two outputs a pixel; 1,000 cosine levels, 0 for clean examples',
    'features without noise and mask: mean of patch tokens (official code: of 4 class tokens, which the decoder reads too)',
    'few-shot probes; masked autoencoding and a diffusion transformer as rivals, the latter without noise too (official code: level 50)',
    dict(part='masked diffusion without clean examples (MaskDiT) as a rival', out='open', why='not run'),
    dict(part='fine-tuning with labels, guided samples, FID and inception score', out='open', why='nothing is sampled'),
    dict(part='random crops and flips; learned positions; latents of an autoencoder', out='open', why='whole images, fixed positions, pixels'),
    dict(part='ImageNet at 64 and 256 pixels', out='data', why='no package ships it; digits of 8 pixels'),
    dict(part='ViT-B/4 and L/2, 800 epochs', out='scale', why='two blocks of 48, a decoder of one of 32, 40 epochs'),
  )
  c.backbone = common.transformer(scale, 'dit', width=48, depth=2, heads=4, patch=2, temperature=4.0)
  c.heads = dict(decoder=common.transformer(scale, 'dit_decoder', width=32, depth=1, heads=4))
  hidden = lambda *ratios: tuple(dict(name='random_mask', ratio=ratio) for ratio in ratios)
  c.passes.seen = dict(name='masked_and_noised', clean=0.5, noise=dict(name='cosine_noise'), mask=hidden(0.75, 0.375))
  c.losses.both = dict(name='umd', of=dict(prediction='seen.out', x='seen.patches', noise='seen.noise', mask='seen.mask', clean='seen.clean'))
  c.claim = dict(
    metric='fewshot_top1_10shot',
    beats=('raw_input', 'random_init', 'dit'),
    margin=0.02,
    also=(dict(metric='fewshot_top1_10shot', beats=('mae',), margin=-0.02),),
    variants=dict(
      dit=('passes.seen.clean=0.0', f'passes.seen.mask={hidden(0.75, 0.0)}'),
      mae=('passes.seen.clean=1.0',),
    ),
  )
  return c
