"""Ways of a batch through networks, by name."""

from jssl.passes import control, lookup, masked, noise, text, views

PASSES = {
  'embed': views.embed,
  'encode': views.encode,
  'apply': views.apply,
  'cross': views.cross,
  'partners': views.partners,
  'recall': views.recall,
  'gather': views.gather,
  'draw': views.draw,
  'sample': views.sample,
  'hide': views.hide,
  'masked_encode': masked.masked_encode,
  'masked_and_noised': masked.masked_and_noised,
  'jepa': masked.jepa,
  'masked_lm': text.masked_lm,
  'replace_tokens': text.replace_tokens,
  'seq2seq': text.seq2seq,
  'causal_lm': text.causal_lm,
  'noise': noise.noise,
  'gaussian': noise.gaussian,
  'trajectory': control.trajectory,
  'latent_rollout': control.latent_rollout,
  'q_values': control.q_values,
  'lookup': lookup.lookup,
  'triples': lookup.triples,
  'nearest': views.nearest,
}
