"""The integer salts of random streams before passes had names of their own: (system, pass, purpose) -> what was folded in.

With them the figures of `first_steps.json` come out of passes; the figures that follow are then those of named salts.
"""

from typing import Any

TERMS = {  # system -> pass -> the term that it was part of
  'align_uniform': 'sphere', 'barlow_twins': 'redundancy', 'byol': 'match', 'dino': 'distil', 'grace': 'grace', 'i_edl': 'evidence',
  'poly_view': 'views', 'specter': 'citations', 'scincl': 'citations', 'simsiam': 'match', 'swav': 'swap', 'vicreg': 'redundancy',
  'w_mse': 'match', 'care': {'views': 'nce', 'moved': 'rotation'}, 'symile': 'tuples', 'angular_prototypical': 'speaker',
  'missing_mmd': 'invariant', 'reward_model': 'reward', 'ranked_preference': {'cheap': 'cheap', 'told': 'told', 'pairs': 'pairs'},
  'dpo': {'told': 'told', 'answers': 'pairs'}, 'goal_reward': 'reward', 'mae': 'rebuild', 'simmim': 'rebuild', 'video_mae': 'rebuild',
  'encodecmae': 'codes', 'vic_mae': 'both', 'macrl': 'both', 'umd': 'both', 'data2vec': 'predict', 'ijepa': 'predict',
  'latent_mim': 'tell', 'mrm': 'record', 'tst': 'fill', 'infodiffusion': 'denoise', 'soda': 'denoise', 'setfit': 'pairs',
  'mse_2d': 'elastic', 'denosent': 'denoise', 'diffcse': {'mlm': 'mlm', '*': 'difference'}, 'mae_lm': 'mlm', 'selformer': 'mlm',
  'mlm_u': 'path', 'pegasus': {'gaps': 'gaps', 'summary': 'summary'}, 'turl': 'cells', 'dr_decr': {'english': 'english', 'cipher': 'cipher'},
  'allo': 'slow', 'taco': {'views': 'curl', '*': 'taco'}, 'word2vec': 'pairs', 'word2vec_cbow': 'tree', 'fasttext': 'windows',
  'distmult': 'ranking', 'wcord': {'taught': 'teacher', 'labelled': 'task', 'student': 'whole', 'told': 'whole'},
  'representation_rank': {'views': 'simcse', 'again': 'rank'},
  'dynamo': 'dynamics', 'act_jepa': 'chunk', 'spr': 'predict', 'self_predictive': 'predict',
}  # fmt: skip
MEMORIES = {'moco_v2': 'nce', 'nnclr': 'nce', 'dino': 'distil', 'macrl': 'both', 'allo': 'slow'}
EMBED = {'view': (0,), 'student': (1, 'i'), 'teacher': (2, 'i')}
PURPOSES: dict[str, Any] = {  # system -> pass -> purpose -> integers; 'i' stands for the number of the view
  'allo': {'walk': {'view': (0,)}},
  'mse_2d': {'views': {'view': (0,), 'student': ('1+i',)}},
  'dr_decr': {'english': {'student': ('i',)}, 'cipher': {'student': ('i',)}},
  'setfit': {'text': {'view': (0,), 'student': (1,)}}, 'wcord': {name: {'view': (0,), 'student': (1,)} for name in ('student', 'told')},
  'missing_mmd': {'code': {'view': (0,), 'student': (1,)}},
  'goal_reward': {'read': {'student': ('i',)}, 'places': {'view': ()}},
  'reward_model': {'pairs': {'student': ('i',)}},
  'ranked_preference': {'cheap': {'student': ('i',)}, 'pairs': {'student': ('i',)}, 'told': {'encoder': ()}},
  'infodiffusion': {'code': {'view': (0,), 'student': (1,)}, 'drawn': {'draw': (2,)}, 'noised': {'noise': (3,)}, 'told': {'network': (4,)}},
  'soda': {'code': {'view': (0,), 'student': (1,)}, 'noised': {'noise': (2,)}, 'told': {'network': (3,)}},
  'umd': {
    'clean': {'view': (0,), 'mask': (2, 0), 'encoder': (2, 1)}, 'noised': {'noise': (1,)}, 'seen': {'mask': (3, 0), 'encoder': (3, 1)},
    'rebuilt': {'network': (9,)}, 'denoised': {'network': (9,)},
  },
  'vic_mae': {'seen': {'view': (0,), 'mask': ('1+i', 0), 'encoder': ('1+i', 1)}, 'rebuilt': {'network': ('1+i', 2)}},
  'macrl': {'seen': {'view': (0,), 'mask': ('1+i', 0), 'encoder': ('1+i', 1)}, 'rebuilt': {'network': ('1+i', 2)}},
  'mrm': {
    'seen': {'view': (0,), 'mask': (1,), 'encoder': (3,)}, 'gaps': {'mask': (2,)}, 'rebuilt': {'network': (4,)}, 'report': {'network': (5,)},
  },
  'tst': {'gaps': {'mask': (1,)}, 'states': {'encoder': (2,)}, 'filled': {'network': (3,)}},
  'denosent': {'views': EMBED, 'told': {'embedding': (2,), 'decoder': (3,)}},
  'diffcse': {
    'sentence': EMBED, 'corrupt': {'mask': (2,)}, 'judged': {'encoder': (3,)}, 'mlm': {'mask': (0,), 'encoder': (1,)},
    'logits': {'network': (9,)},
  },
  'turl': {'table': {'view': (0,)}, 'states': {'encoder': (1,)}},
  'mlm_u': {'path': {'mask': (0,), 'encoder': (1,)}},
}  # fmt: skip
DEFAULT = {
  **EMBED, 'mask': (1,), 'encoder': (2,), 'network': (3,), 'predictor': (3,),
}  # fmt: skip
TEXT = {'mask': (0,), 'encoder': (1,), 'decoder': (2,)}
SEQUENCES = {'pegasus': {'encoder': (0,), 'decoder': (1,)}}
LOOKUPS = ('word2vec', 'word2vec_cbow', 'fasttext', 'distmult')


def path(system: str, name: str, *purpose: str | int) -> tuple[str | int, ...] | None:
  """What was folded in for a purpose of a pass; None where nothing is known, as for networks that draw nothing."""
  terms = TERMS.get(system, 'nce')
  term = terms if isinstance(terms, str) else terms.get(name, terms.get('*', name))
  if not purpose:
    return (MEMORIES.get(system, name),) if system in MEMORIES else (name,)
  known = PURPOSES.get(system, {}).get(name)
  known = known or (TEXT if system in ('mae_lm', 'selformer') else SEQUENCES.get(system, DEFAULT))
  found = known.get(purpose[0])
  if found is None:
    return None
  i = purpose[1] if len(purpose) > 1 else 0
  return (term, *({'i': i, '1+i': 1 + int(i)}.get(x, x) for x in found))
