// A picture -> labels, with an ONNX file of `segnext export ... --to onnx` (input uint8, output labels, the defaults).

const [status, drop, input] = ["status", "drop", "picture"].map((id) => document.getElementById(id));
const say = (text, wrong = false) => {
  status.textContent = text;
  status.classList.toggle("error", wrong);
};

ort.env.wasm.wasmPaths = new URL("node_modules/onnxruntime-web/dist/", location.href).href;
ort.env.wasm.numThreads = 1; // more would need headers that a plain file server does not send

/** The texts that the file says of itself: field 14 of ONNX's ModelProto, pairs of key (1) and value (2). */
function metadata(bytes) {
  const text = new TextDecoder();
  const found = {};
  for (const [number, entry] of fields(bytes)) {
    if (number !== 14) continue;
    const pair = Object.fromEntries(fields(entry));
    found[text.decode(pair[1])] = text.decode(pair[2]);
  }
  return found;
}

/** The fields of a protobuf message that have a length, by number. */
function* fields(bytes) {
  let place = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[place++];
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (place < bytes.length) {
    const key = varint();
    const kind = key % 8;
    if (kind === 2) {
      const length = varint();
      yield [Math.floor(key / 8), bytes.subarray(place, place + length)];
      place += length;
    } else if (kind === 0) varint();
    else if (kind === 1) place += 8;
    else if (kind === 5) place += 4;
    else throw new Error("model.onnx is damaged; export it again");
  }
}

async function load() {
  const answer = await fetch("model.onnx");
  if (!answer.ok) throw new Error("there is no model.onnx beside this page; make it with segnext export");
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const about = metadata(bytes);
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  const [classes, colors, short, long] = ["classes", "colors", "short_side", "long_side"].map((name) =>
    JSON.parse(about[name] ?? "null"),
  );
  return { session, classes, colors, short, long };
}

/** The size that the network looks at a picture in. */
function lookedAt({ short, long }, width, height) {
  if (!short && !long) return [width, height];
  const most = (long || 4 * short) / Math.max(width, height);
  const scale = Math.min(most, short ? short / Math.min(width, height) : Infinity);
  return [width, height].map((length) => Math.max(1, Math.floor(length * scale + 0.5)));
}

/** A picture's pixels at a size, transparency laid on white. */
function pixels(bitmap, width, height) {
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

async function labelsOf(network, bitmap) {
  const [width, height] = lookedAt(network, bitmap.width, bitmap.height);
  const rgba = pixels(bitmap, width, height);
  const rgb = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) rgb.set(rgba.subarray(4 * pixel, 4 * pixel + 3), 3 * pixel);
  const picture = new ort.Tensor("uint8", rgb, [1, height, width, 3]);
  const { labels } = await network.session.run({ picture });
  return { labels: labels.data, width, height };
}

/** Paint labels at the picture's own size, by nearest neighbour; `strength` of 255 hides what is below. */
function paint(id, bitmap, { labels, width, height }, colors, strength) {
  const canvas = document.getElementById(id);
  Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const painted = context.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let y = 0, place = 0; y < bitmap.height; y++) {
    const row = Math.floor(((y + 0.5) * height) / bitmap.height) * width;
    for (let x = 0; x < bitmap.width; x++, place += 4) {
      const color = colors[labels[row + Math.floor(((x + 0.5) * width) / bitmap.width)]];
      for (let band = 0; band < 3; band++) {
        painted.data[place + band] += ((color[band] - painted.data[place + band]) * strength) / 255;
      }
      painted.data[place + 3] = 255;
    }
  }
  context.putImageData(painted, 0, 0);
}

function tabulate({ classes, colors }, labels) {
  const counts = new Array(classes.length).fill(0);
  for (const label of labels) counts[label]++;
  const rows = classes.map((name, label) => ({ name, color: colors[label], share: counts[label] / labels.length }));
  rows.sort((one, other) => other.share - one.share);
  document.getElementById("shares").replaceChildren(
    ...rows.map(({ name, color, share }) => {
      const row = document.createElement("tr");
      const [swatch, ...texts] = ["", name, `${(100 * share).toFixed(1)} %`].map((text) => {
        const cell = row.insertCell();
        cell.textContent = text;
        return cell;
      });
      swatch.style.background = `rgb(${color.join()})`;
      return row;
    }),
  );
}

const network = load();
network.then(() => say("drop a picture here, or choose one")).catch((error) => say(error.message, true));

async function show(file) {
  try {
    say(`segmenting ${file.name} ...`);
    const ready = await network;
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => {
      throw new Error(`${file.name} is no picture that the browser can read; give a JPEG, PNG or WebP`);
    });
    await new Promise((painted) => setTimeout(painted)); // so that the line above is seen
    const started = performance.now();
    const found = await labelsOf(ready, bitmap);
    const seconds = (performance.now() - started) / 1000;
    document.querySelector("main").hidden = false;
    paint("overlay", bitmap, found, ready.colors, 140);
    paint("mask", bitmap, found, ready.colors, 255);
    tabulate(ready, found.labels);
    say(`${file.name}: ${bitmap.width} x ${bitmap.height} pixels in ${seconds.toFixed(1)} s; drop another one`);
  } catch (error) {
    say(error.message, true);
  }
}

input.addEventListener("change", () => input.files.length && show(input.files[0]));
for (const kind of ["dragover", "dragleave", "drop"]) {
  addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) show(event.dataTransfer.files[0]);
  });
}
