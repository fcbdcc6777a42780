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
  c.backbone = common.transformer(scale, 'dit', width=48, depth=2, heads=4, patch=2, temperature=4.0)
  c.heads = dict(decoder=common.transformer(scale, 'dit_decoder', width=32, depth=1, heads=4))
  hidden = lambda *ratios: tuple(dict(name='random_mask', ratio=ratio) for ratio in ratios)
  c.passes.seen = dict(name='masked_and_noised', clean=0.5, noise=dict(name='cosine_noise'), mask=hidden(0.75, 0.375))
  c.losses.both = dict(name='umd', of=dict(prediction='seen.out', x='seen.patches', noise='seen.noise', mask='seen.mask', clean='seen.clean'))
  c.claim = dict(
    metric='fewshot_top1_10shot',
    beats=('random_init', 'dit'),
    margin=0.02,
    also=(dict(metric='fewshot_top1_10shot', beats=('mae',), margin=-0.02),),
    variants=dict(
      dit=('passes.seen.clean=0.0', f'passes.seen.mask={hidden(0.75, 0.0)}'),
      mae=('passes.seen.clean=1.0',),
    ),
  )
  return c
