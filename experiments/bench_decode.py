"""Pictures a second: random resized crops of JPEGs as they are stored, against the plain decode of the same files.

    python experiments/bench_decode.py --count 1000 --size 224 --rounds 3
    python experiments/bench_decode.py --workers 0 2 --threads 2 --decoders 1

Writes JPEGs of 300 to 700 pixels a side into a folder and reads them through `GrainSource`, as training does. What is compared is read in
turns, an epoch each, so that every round's figures are of the same minute:

    plain     scaled to cover a square and cut at the centre, as evaluation reads them
    crop      one random resized crop of the original an example
    crop2     two crops an example, for methods of two views; pictures are decoded once
"""

import argparse
import io
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from jssl.core.build import open_data
from jssl.data.core.sources import GrainSource


def photo(number: int, originals: list[Image.Image]) -> bytes:
  """A JPEG: a piece of a photo, scaled to 300 to 700 pixels a side, with noise whose amplitude falls as 1/f as that of photos does."""
  draw = np.random.default_rng(number)
  of = originals[number % len(originals)]
  h, w = (int(x) for x in draw.integers(300, 701, 2))
  wide = min(of.width, of.height * w / h) * draw.uniform(0.6, 1.0)
  left, top = draw.uniform(0, of.width - wide), draw.uniform(0, of.height - wide * h / w)
  piece = of.resize((w, h), Image.Resampling.BICUBIC, box=(left, top, left + wide, top + wide * h / w))
  frequency = np.hypot(np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(w))
  noise = np.fft.irfft2(np.fft.rfft2(draw.standard_normal((h, w))) / np.maximum(frequency, 1 / 200), (h, w))
  pixels = np.clip(np.asarray(piece, np.float32) + (10 / noise.std()) * noise[..., None], 0, 255).astype(np.uint8)
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, 'JPEG', quality=int(draw.integers(75, 96)))
  return file.getvalue()


def folder_of(where: Path, count: int) -> Path:
  originals = [Image.fromarray(x) for x in load_sample_images().images]
  for i in range(count):
    (where / f'{i:05d}.jpg').write_bytes(photo(i, originals))
  return where


def rate(source: GrainSource) -> tuple[float, float]:
  """Examples a second over the next epoch, from when its threads, or workers, have begun, and this process's CPU milliseconds an example."""
  source.next()
  begin, busy, count = time.perf_counter(), time.process_time(), 0
  for _ in range(source.batches_per_epoch):
    count += len(source.next()['image'])
  taken, busy = time.perf_counter() - begin, time.process_time() - busy
  source.close()
  return count / taken, 1000 * busy / count


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--folder', type=Path, help='of JPEGs that are there already')
  parser.add_argument('--count', type=int, default=1000)
  parser.add_argument('--size', type=int, default=224)
  parser.add_argument('--batch', type=int, default=50)
  parser.add_argument('--rounds', type=int, default=3)
  parser.add_argument('--workers', type=int, nargs='+', default=[0])
  parser.add_argument('--threads', type=int, default=2)
  parser.add_argument('--decoders', type=int, default=0)
  given = parser.parse_args()
  with tempfile.TemporaryDirectory() as made:
    where = given.folder or folder_of(Path(made), given.count)
    scale = dict(scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3))
    forms = dict(plain=None, crop=dict(views=1, **scale), crop2=dict(views=2, **scale))
    for workers in given.workers:
      options = dict(memory=0, workers=workers, threads=given.threads, decoders=given.decoders)
      sources = {}
      for form, crop in forms.items():
        split = open_data(dict(name=f'folder:{where}', resize=given.size, crop=crop, held_out=0.01)).splits['train']
        sources[form] = GrainSource(split, given.batch, process_index=0, process_count=1, **options)
      found = {form: [] for form in forms}
      for _ in range(given.rounds):
        for form, source in sources.items():
          found[form].append(rate(source))
      print(f'workers {workers}, threads {given.threads}, decoders {given.decoders or "a core"}')
      for form, turns in found.items():
        share = statistics.median(x / y for (x, _), (y, _) in zip(turns, found['plain'], strict=True))
        speed, busy = (statistics.median(column) for column in zip(*turns, strict=True))
        spent = '' if workers else f', {busy:.2f} ms of CPU each'
        print(f'  {form:6} {speed:7.1f} a second, {share:.3f} of plain{spent}', flush=True)


if __name__ == '__main__':
  main()
