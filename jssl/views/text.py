"""Views of token ids, [b n] int32 padded at the end. Ids below `first` are special, and are never changed."""

import jax
import jax.numpy as jnp

from jssl.ops.table_structure import token_types, visibility
from jssl.types import Array, Batch, Keys, fold
from jssl.views.columns import columns


def duplicate(keys: Keys, batch: Batch, *, column: str = 'ids') -> tuple[Array, Array]:
  """The same ids for both views, which differ only by dropout.

  Reference: Gao, Yao, Chen, EMNLP 2021, arXiv:2104.08821, section 3.
  """
  del keys
  return batch[column], batch[column]


def deleted(
  keys: Keys, batch: Batch, *, column: str = 'ids', rate: float = 0.1, first: int = 5, pad: int = 0, views: int = 2, original: bool = True
) -> tuple[Array, ...]:
  """Deletes each token with a probability; later tokens move forward.

  Args:
    keys: [b].
    batch: contains the column.
    column: column of ids.
    rate: deletion probability.
    first: ids below it are kept.
    pad: the padding id.
    views: number of views.
    original: the first view is the unchanged ids.

  Returns:
    `views` arrays [b n].

  Reference: Wei, Zou, EMNLP 2019, arXiv:1901.11196, section 2, random deletion.
  """
  ids = batch[column]

  def leave_out(key, ids):
    gone = (ids >= first) & jax.random.bernoulli(key, rate, ids.shape)
    order = jnp.argsort(gone | (ids == pad), stable=True)
    return jnp.where(gone, pad, ids)[order]

  draw = lambda i: jax.vmap(lambda key, ids: leave_out(jax.random.fold_in(key, i), ids))(keys, ids)
  return tuple(ids if original and not i else draw(i) for i in range(views))


def real_tokens(keys: Keys, batch: Batch, *, names: tuple[str, ...], first: int = 1) -> dict[str, Array]:
  """Which positions of the named columns are tokens and not padding, [b n] bool each; with `first`, ids below it are excluded too."""
  del keys
  return {name: batch[name] >= first for name in names}


def joined(keys: Keys, batch: Batch, *, first: str, names: tuple = (), lists: tuple = ()) -> tuple[Array, ...]:
  """A text followed by each of several others, [b n + m - 1]: the input of a cross-encoder. The first token of the others is omitted.

  Args:
    keys: unused.
    batch: contains the columns.
    first: column of ids, [b n]; its padding is kept, so that the second text starts at a fixed position.
    names, lists: the others, as in `columns`.
  """
  return tuple(jnp.concatenate([batch[first], x[:, 1:]], 1) for x in columns(keys, batch, names=names, lists=lists))


def ordered_places(keys: Keys, batch: Batch, *, column: str, start: int, draws: int = 4) -> dict[str, Array]:
  """Token positions in texts without padding: ordered pairs, and independent positions.

  Args:
    keys: [b].
    batch: contains the column.
    column: column of ids, [b n].
    start: the first position that can be drawn.
    draws: s, number of positions of each kind.

  Returns:
    source and goal, with every source before every goal; again and elsewhere, without order: [b s] each.

  Reference: Nath et al. 2024, arXiv:2407.13887, section 3.
  """
  n = batch[column].shape[1]

  def ordered(key):
    cut, before, after = jax.random.split(key, 3)
    edge = jax.random.randint(cut, (), start + 1, n)
    return jax.random.randint(before, (draws,), start, edge), jax.random.randint(after, (draws,), edge, n)

  anywhere = lambda i: jax.vmap(lambda key: jax.random.randint(key, (draws,), start, n))(fold(keys, i))
  source, goal = jax.vmap(ordered)(fold(keys, 0))
  return dict(source=source, goal=goal, again=anywhere(1), elsewhere=anywhere(2))


def table_cells(
  keys: Keys,
  batch: Batch,
  *,
  mask: int,
  first: int,
  size: int,
  rate: float = 0.6,
  header_rate: float = 0.2,
  kept: float = 0.1,
  random: float = 0.027,
  header_random: float = 0.1,
  structured: bool = True,
) -> dict[str, Array]:
  """Selects entities and headers of a table to be recovered; each token attends to its own row and column.

  Args:
    keys: [b].
    batch: ids, row and column, [b n]; headers are in row 0, subjects in column 0.
    mask: the mask id; ids between it and `first` are headers.
    first: id of the first entity.
    size: number of ids; those from `first` on are entities.
    rate: selected share of the entities, subjects included.
    header_rate: selected share of the headers.
    kept: share of the selected tokens that stay as they are.
    random: share of the selected entities that are replaced by a random entity.
    header_random: share of the selected headers that are replaced by a random header.
    structured: if False, all tokens attend to all tokens.

  Returns:
    ids [b n], with random replacements; hidden [b n] bool, the tokens to be replaced by the mask id; cells and headers [b n] bool, the selected
    ones of each; types [b n]; visible [b n n] bool; entity [b n], the index of the entity in each cell.

  Reference: Deng, Sun, Lees, Wu, Yu, VLDB 2020, arXiv:2006.14806, sections 4.3 and 4.4: 0.6 and 0.2, of which headers are masked,
    replaced and kept with 0.8, 0.1 and 0.1. Of selected entities 0.1 are kept; of the others, 0.7 lose their mention too, and of those that do
    not, 0.1 are replaced (official code, `mask_ent`). Without mentions these are 0.873, 0.027 and 0.1.
  """
  ids, header = batch['ids'], batch['row'] == 0
  drawn, fate, other = jnp.moveaxis(jax.vmap(lambda key: jax.random.uniform(key, (3, *ids.shape[1:])))(keys), 1, 0)
  cells, headers = ~header & (ids != 0) & (drawn < rate), header & (drawn < header_rate)
  stays, replaced = fate < kept, fate < kept + jnp.where(header, header_random, random)
  low, high = jnp.where(header, mask + 1, first), jnp.where(header, first, size)
  another = low + (other * (high - low)).astype(ids.dtype)
  selected = cells | headers
  visible = visibility(batch) if structured else jnp.ones((*ids.shape, ids.shape[1]), bool)
  return dict(
    ids=jnp.where(selected & replaced & ~stays, another, ids), hidden=selected & ~replaced, cells=cells, headers=headers,
    types=token_types(batch), visible=visible, entity=ids - first,
  )  # fmt: skip
