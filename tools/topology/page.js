// The topology page: opens and folds regions, zooms, finds zones, shows details. It makes no requests.
(() => {
  const { items, regions, arrangements, initial } = JSON.parse(document.getElementById("data").textContent);
  const view = document.getElementById("view");
  const svg = view.querySelector("svg");
  const details = document.getElementById("details");
  const search = document.getElementById("search");
  const matches = document.getElementById("matches");
  const every = (selector, root = svg) => [...root.querySelectorAll(selector)];

  let open = keyed(initial);
  let chosen;
  let zoom = 1;

  function keyed(key) {
    return new Set(key === "" ? [] : key.split(" ").map(Number));
  }
  const keyOf = (numbers) => [...numbers].sort((a, b) => a - b).join(" ");
  const isShown = (element) => element.closest("[display=none]") === null;
  const shown = () => every(".item").filter(isShown);
  const itemOf = (id) => shown().find((element) => element.dataset.id === id);
  const regionOf = (id) => regions.findIndex((region) => region.id === id || region.inside.includes(id));

  /** Draws the open regions. */
  function draw() {
    const { width, height, places, lines } = arrangements[keyOf(open)];
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const element of every("[data-place]")) {
      const { x, y } = places[element.dataset.place];
      element.setAttribute("transform", `translate(${x} ${y})`);
    }
    for (const element of every("[data-link]"))
      if (element.dataset.link in lines) element.setAttribute("d", lines[element.dataset.link]);
    regions.forEach(({ id }, number) => {
      const place = every("[data-place]").find((element) => element.dataset.place === id);
      for (const state of place.querySelectorAll("[data-fold]")) {
        if ((state.dataset.fold === "open") === open.has(number)) state.removeAttribute("display");
        else state.setAttribute("display", "none");
      }
    });
    for (const element of every(".item")) {
      element.setAttribute("role", "button");
      element.setAttribute("tabindex", "-1");
      if (element.classList.contains("region"))
        element.setAttribute("aria-expanded", String(open.has(regionOf(element.dataset.id))));
      element.classList.toggle("chosen", element.dataset.id === chosen);
    }
    (itemOf(chosen) ?? shown()[0]).setAttribute("tabindex", "0");
    mark();
    scale();
  }

  /** Opens these regions; if they have no arrangement, only the last one. */
  function openOnly(numbers, last) {
    open = keyOf(numbers) in arrangements ? new Set(numbers) : new Set([last]);
    draw();
  }

  function toggle(number) {
    const others = [...open].filter((other) => other !== number);
    if (!open.has(number)) openOnly([...others, number], number);
    else if (keyOf(others) in arrangements) openOnly(others);
    else openOnly([]);
  }

  function scale() {
    const { width, height } = arrangements[keyOf(open)];
    svg.setAttribute("width", width * zoom);
    svg.setAttribute("height", height * zoom);
  }

  /** Zooms around a point of the view, its middle if none is given. */
  function zoomTo(wanted, x = view.clientWidth / 2, y = view.clientHeight / 2) {
    const before = zoom;
    zoom = Math.min(4, Math.max(0.1, wanted));
    const ratio = zoom / before;
    const [left, top] = [(view.scrollLeft + x) * ratio - x, (view.scrollTop + y) * ratio - y];
    scale();
    view.scrollTo(left, top);
  }

  /** Fits the picture to the view's width, and to its height if `whole`; never larger than drawn. */
  function fit(whole) {
    const { width, height } = arrangements[keyOf(open)];
    const wide = view.clientWidth / width;
    zoomTo(Math.min(1, wide, whole ? view.clientHeight / height : wide));
  }

  function choose(id) {
    chosen = id;
    draw();
    const { title, kind, where, facts } = items[id];
    details.querySelector("h2").textContent = title;
    details.querySelector("p").textContent = where === undefined ? kind : `${kind} in ${where}`;
    details.querySelector("dl").replaceChildren(
      ...facts.flatMap(([label, value]) => {
        const term = document.createElement("dt");
        const description = document.createElement("dd");
        term.textContent = label;
        description.textContent = value;
        return [term, description];
      }),
    );
    details.hidden = false;
  }

  function close() {
    details.hidden = true;
    const last = chosen;
    chosen = undefined;
    draw();
    if (last !== undefined) focus(last);
  }

  function focus(id) {
    const element = itemOf(id);
    if (element === undefined) return;
    for (const other of every(".item[tabindex='0']")) other.setAttribute("tabindex", "-1");
    element.setAttribute("tabindex", "0");
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Opens the region of a hidden item, and shows the item. */
  function goTo(id) {
    const number = regionOf(id);
    if (number !== -1 && !open.has(number)) openOnly([...open, number], number);
    choose(id);
    focus(id);
  }

  function use(element) {
    const { id } = element.dataset;
    if (!element.classList.contains("region")) return goTo(id);
    toggle(regionOf(id));
    choose(id);
    focus(id);
  }

  const wanted = () => search.value.trim().toLowerCase();
  const found = () =>
    wanted() === ""
      ? []
      : Object.keys(items).filter(
          (id) => items[id].kind === "zone" && items[id].title.toLowerCase().includes(wanted()),
        );

  function mark() {
    const ids = found();
    for (const element of every(".item")) element.classList.toggle("found", ids.includes(element.dataset.id));
    const count = ids.length === 1 ? "1 zone" : `${ids.length} zones`;
    matches.textContent =
      wanted() === ""
        ? ""
        : ids.length === 0
          ? "no zone has this in its name"
          : `${count}; Enter shows ${ids.length === 1 ? "it" : "the next"}`;
  }

  /** Position of an item's head; its content is below. */
  function headOf(element) {
    const { left, right, top } = (element.querySelector(".box, .chip") ?? element).getBoundingClientRect();
    return { left, right, y: top + 12 };
  }

  /** The nearest item in a direction; sideways distance counts more than distance ahead. An item's content is not beside it. */
  function beside(element, [right, down]) {
    const from = headOf(element);
    const gap = (to) => Math.max(0, to.left - from.right, from.left - to.right) + Math.abs(to.left - from.left) / 20;
    const distances = shown().map((other) => {
      const to = headOf(other);
      const ahead = right === 1 ? to.left - from.right : from.left - to.right;
      const forward = down === 0 ? ahead : (to.y - from.y) * down;
      return { other, forward, aside: down === 0 ? Math.abs(to.y - from.y) : gap(to) };
    });
    const ahead = distances.filter(({ other, forward }) => other !== element && forward > 4);
    return ahead.sort((a, b) => a.forward + 3 * a.aside - (b.forward + 3 * b.aside))[0]?.other;
  }

  const directions = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  svg.addEventListener("keydown", (event) => {
    const element = event.target.closest(".item");
    if (element === null || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in directions) {
      const next = beside(element, directions[event.key]);
      if (next !== undefined) focus(next.dataset.id);
    } else if (event.key === "Enter" || event.key === " ") use(element);
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !details.hidden) close();
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") zoomTo(zoom * 1.25);
    else if (event.key === "-") zoomTo(zoom / 1.25);
    else if (event.key === "0") fit(true);
    else if (event.key === "/") {
      event.preventDefault();
      search.focus();
    }
  });

  // Dragging moves the view, and is not a click.
  let drag;
  let dragged = false;
  view.addEventListener("pointerdown", (event) => {
    dragged = false;
    if (event.button === 0 && event.pointerType === "mouse")
      drag = { x: event.clientX, y: event.clientY, left: view.scrollLeft, top: view.scrollTop };
  });
  window.addEventListener("pointermove", (event) => {
    if (drag === undefined) return;
    const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
    if (Math.abs(dx) + Math.abs(dy) > 4) dragged = true;
    if (dragged) view.scrollTo(drag.left - dx, drag.top - dy);
  });
  window.addEventListener("pointerup", () => (drag = undefined));
  svg.addEventListener("click", (event) => {
    const element = event.target.closest(".item");
    if (element !== null && !dragged) use(element);
  });
  view.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const { left, top } = view.getBoundingClientRect();
      zoomTo(zoom * Math.exp(-event.deltaY / 300), event.clientX - left, event.clientY - top);
    },
    { passive: false },
  );

  let last = -1;
  search.addEventListener("input", () => {
    last = -1;
    mark();
  });
  search.addEventListener("keydown", (event) => {
    const ids = found();
    if (event.key !== "Enter" || ids.length === 0) return;
    last = (last + 1) % ids.length;
    goTo(ids[last]);
    // One match leads to it; of several, Enter goes through all.
    if (ids.length > 1) search.focus({ preventScroll: true });
  });

  const buttons = {
    closer: () => zoomTo(zoom * 1.25),
    farther: () => zoomTo(zoom / 1.25),
    whole: () => fit(true),
    unfold: () => {
      openOnly(regions.map((_, number) => number));
      fit(true);
    },
    fold: () => {
      openOnly([]);
      fit(true);
    },
    print: () => window.print(),
    close,
  };
  for (const [id, action] of Object.entries(buttons)) document.getElementById(id).addEventListener("click", action);

  draw();
  fit(false);
})();
