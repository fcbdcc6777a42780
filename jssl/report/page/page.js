// Maps of examples: other layouts, the example under the pointer, classes on and off.
for (const map of document.querySelectorAll('.map')) {
  const data = JSON.parse(map.querySelector('script').textContent);
  const points = [...map.querySelectorAll('circle')];
  const plane = map.querySelector('.plane');
  const hover = map.querySelector('.hover');
  if (data.sheet) hover.style.setProperty('--sheet', `url(${data.sheet.source})`);
  const layouts = [...map.querySelectorAll('[data-layout]')];
  for (const button of layouts) {
    button.addEventListener('click', () => {
      hover.hidden = true;
      layouts.forEach((other) => other.setAttribute('aria-pressed', other === button));
      data.layouts[button.dataset.layout].forEach(([x, y], i) => {
        points[i].style.cx = `${x}px`;
        points[i].style.cy = `${1000 - y}px`;
      });
    });
  }
  for (const button of map.querySelectorAll('[data-class]')) {
    button.addEventListener('click', () => {
      const shown = button.getAttribute('aria-pressed') !== 'true';
      button.setAttribute('aria-pressed', shown);
      data.labels.forEach((label, i) => label === Number(button.dataset.class) && points[i].classList.toggle('off', !shown));
    });
  }
  const show = (event) => {
    map.querySelector('circle.on')?.classList.remove('on');
    const i = points.indexOf(event.target);
    hover.hidden = i < 0;
    if (i < 0) return;
    event.target.classList.add('on');
    hover.replaceChildren();
    if (data.sheet) {
      const { width, height, columns } = data.sheet;
      const scale = Math.max(1, Math.round(96 / height));
      const tile = hover.appendChild(document.createElement('span'));
      tile.className = 'tile';
      tile.style.width = `${width * scale}px`;
      tile.style.height = `${height * scale}px`;
      tile.style.backgroundSize = `${columns * width * scale}px auto`;
      tile.style.backgroundPosition = `-${(i % columns) * width * scale}px -${Math.floor(i / columns) * height * scale}px`;
    }
    hover.append(data.captions[i]);
    const box = plane.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    hover.style.left = `${Math.max(0, Math.min(x + 14, box.width - hover.offsetWidth))}px`;
    hover.style.top = `${y + hover.offsetHeight + 20 > box.height ? Math.max(0, y - hover.offsetHeight - 10) : y + 14}px`;
  };
  plane.addEventListener('pointermove', show);
  plane.addEventListener('pointerdown', show);
  plane.addEventListener('pointerleave', () => (hover.hidden = true));
}

// The table of claims: states on and off.
for (const button of document.querySelectorAll('.filter [data-state]')) {
  button.addEventListener('click', () => {
    const shown = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', shown);
    for (const row of document.querySelectorAll(`tbody[data-state="${button.dataset.state}"]`)) row.hidden = !shown;
  });
}
