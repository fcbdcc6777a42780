"""Folders of videos, each a folder of its frames, as ffmpeg writes them."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jssl.data.core.crops import Crops, boxes, crops_of
from jssl.data.core.pictures import cropped, decode, first_line, pool
from jssl.data.own.files import content, parts, stamps
from jssl.data.own.files import held_out as some_of
from jssl.data.own.folder import listed
from jssl.data.own.rows import PICTURES
from jssl.errors import DataError
from jssl.storage import reach
from jssl.types import Column, Data


def clips(
  path: str,
  *,
  frames: int = 16,
  stride: int = 4,
  resize: int | tuple[int, int] = 224,
  crop: Mapping[str, Any] | None = None,
  channels: int = 3,
  held_out: float = 0.2,
) -> Data:
  """Clips of the videos in a folder, each a folder of pictures in the order of their names: VIDEO/0001.jpg or CLASS/VIDEO/0001.jpg.

  `ffmpeg -i VIDEO.mp4 VIDEO/%04d.jpg` writes such a folder. In training a clip starts at a frame drawn for each epoch, otherwise in the middle.

  Args:
    path: PATH of 'clips:PATH'. Folders `train` and `test` (or `val`) in it, or PATH_test next to it, are the splits.
    frames: t, frames of a clip.
    stride: a clip has every so many frames of the video; a video that is too short repeats its last frame.
    resize: side in pixels, or (height, width): frames are scaled to cover it and centre-cropped.
    crop: a random crop of the stored frames in training, the same for all frames of a clip: dict(scale=(0.3, 1), ratio=(3/4, 4/3)).
    channels: 1 grey, 3 RGB, 4 RGB and alpha.
    held_out: share of videos in 'test', by a hash of their names, if there is no test folder.

  Returns:
    Data with clip [t h w c] uint8, and label [] int32 if there are classes.

  Raises:
    DataError: if there is no video; when read, for a frame that cannot be decoded.
  """
  size = (resize, resize) if isinstance(resize, int) else tuple(resize)
  found: dict[str, dict[str, list[str]]] = {}  # split -> video -> its frames
  for split, of in parts(reach(path)).items():
    videos = found.setdefault(split, {})
    for name in listed(of):
      if name.lower().endswith(PICTURES) and os.sep in name:
        videos.setdefault(str(Path(name).parent), []).append(os.path.join(of, name))
    if not videos:
      raise DataError(f'{of} contains no videos; expected a folder of images per video, as `ffmpeg -i VIDEO.mp4 VIDEO/%04d.jpg` writes it')
  if 'test' not in found:
    names = [*found['train']]
    held = some_of(names, held_out)
    found = {split: {name: found['train'][name] for name in np.array(names)[of]} for split, of in (('train', ~held), ('test', held))}
  classes = sorted({Path(video).parts[0] for videos in found.values() for video in videos if os.sep in video})
  spec = {'clip': Column((frames, *size, channels), np.uint8)}
  if classes:
    spec['label'] = Column((), np.int32, classes=tuple(classes))
  crops = crops_of(crop and {**crop, 'views': 1}, size)
  folders = {os.path.dirname(frame) for videos in found.values() for frame, *_ in videos.values()}
  info = dict(name=f'clips:{path}', classes=tuple(classes), fingerprint=stamps(folders))
  splits = {split: Clips(videos, spec, stride, split == 'train', crops if split == 'train' else None) for split, videos in found.items()}
  return Data(splits=splits, spec=spec, inputs='clip', info=info)


class Clips:
  """A split of videos, whose frames are decoded on access.

  Args:
    videos: name -> its frames.
    spec: columns `clip` and, where the first part of names is a class, `label`.
    stride: frames of the video for each of a clip.
    moving: whether `drawn` draws where a clip starts.
    crops: the crop that `drawn` makes of each frame; None for none.
  """

  def __init__(self, videos: Mapping[str, Sequence[str]], spec: Mapping[str, Column], stride: int, moving: bool, crops: Crops | None):
    self.frames, self.spec, self.stride, self.crops = [*videos.values()], spec, stride, crops
    self.crop = moving or None  # a source reads a split with a crop by `drawn`
    self.labels = np.array([spec['label'].classes.index(Path(name).parts[0]) for name in videos] if 'label' in spec else (), np.int32)

  def __len__(self) -> int:
    return len(self.frames)

  def __getitem__(self, index: int) -> dict[str, np.ndarray]:
    return {name: column[0] for name, column in self.take(np.array([index])).items()}

  def take(self, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The middle clips of the videos `rows` [b]: clip [b t h w c], and label [b]."""
    return self._read(rows, lambda row: 0.5, lambda row, data, shape: decode(data, shape))

  def drawn(self, rows: np.ndarray, epoch: int, seed: int) -> dict[str, np.ndarray]:
    """Clips of the videos `rows` [b] with a start, and a crop where there are any, that depend on seed, epoch and row."""

    def start(row: int) -> float:
      # A separate counter from those of `order.permutation` and `crops.boxes`, which have the same key.
      raw = np.random.Philox(key=np.array([seed, epoch], np.uint64), counter=np.array([0, 0, row, 2], np.uint64))
      return (int(raw.random_raw()) >> 11) * 2.0**-53

    def read(row: int, data: bytes, shape: tuple[int, ...]) -> np.ndarray:
      return decode(data, shape) if self.crops is None else cropped(data, shape, functools.partial(boxes, self.crops, seed, epoch, row))[0]

    return self._read(rows, start, read)

  def _read(self, rows: np.ndarray, start: Callable[[int], float], read: Callable[..., np.ndarray]) -> dict[str, np.ndarray]:
    t, *shape = self.spec['clip'].shape

    def frame(place: tuple[int, str]) -> np.ndarray:
      try:
        return read(place[0], content(place[1]), tuple(shape))
      except Exception as error:  # decoders raise errors of many types
        raise DataError(f'{place[1]} cannot be read ({first_line(error)}); replace the frame, or remove the folder of the video') from error

    places = []
    for row in map(int, rows):
      last = len(self.frames[row]) - 1
      first = int(start(row) * (max(last - (t - 1) * self.stride, 0) + 1))
      places += [(row, self.frames[row][min(first + i * self.stride, last)]) for i in range(t)]
    clip = np.stack([*pool().map(frame, places)]).reshape(len(rows), t, *shape)
    return {'clip': clip, **({'label': self.labels[rows]} if 'label' in self.spec else {})}
