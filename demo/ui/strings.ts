/** What the page says, in both languages; the keys of one are those of the other. */
const english = {
  skip: "Skip to the content",
  claim: "A flower classifier that runs in this page and says why.",
  language: "Language",
  sections: "Sections",
  privacy: "Pictures stay on this device: the page sends nothing to anybody, and works offline after the first visit.",
  explain: "Explain",
  live: "Live",
  augment: "Augment",
  train: "Train",
  profile: "Profile",
  loading: "Loading the network …",
  ready: "Ready.",
  noGpuTitle: "This browser offers no WebGPU",
  noGpu:
    "The page computes on the graphics card through WebGPU, and found none. What helps: a recent Chrome, Edge, Safari or Firefox; hardware acceleration switched on in its settings; an address with https, or localhost.",
  reload: "Try again",
  failed: "That did not work: ",
  deviceLost: "The graphics card was taken away from the page. Load it again to go on.",
  open: "Choose a picture",
  drop: "Drop a picture here, or",
  samples: "or take a drawn flower:",
  photograph: "Photograph",
  explanation: "Explanation",
  classes: "Classes",
  method: "Method",
  layer: "Layer",
  layerDefault: "last one before the pooling",
  baseline: "Baseline",
  versus: "Against",
  nothing: "nothing",
  knows: "This network knows ten species of drawn flowers. Teach it your own pictures under Train.",
  notTrained: "What the trained network says appears here.",
  evidence: "Evidence",
  status: "Status",
  statusOk: "found evidence",
  statusNone: "no positive evidence for this class",
  statusOpen: "did not converge: do not trust details",
  cost: "Cost",
  costText: "forward passes: {forwards}, gradients: {gradients}, {milliseconds} ms",
  gap: "Completeness gap",
  evaluations: "Evaluations",
  mapSize: "Map",
  coarse: "coarse: each cell stands for a large part of the picture",
  computing: "Computing …",
  black: "black",
  grey: "grey",
  white: "white",
  blur: "blurred",
  noise: "noise",
  startCamera: "Start the camera",
  stopCamera: "Stop the camera",
  noCamera: "No camera could be opened: {reason}",
  liveHint:
    "Frames go from the camera to the canvas on the graphics card; the map is the exact CAM of the likeliest class. It is coarse: 3 × 3 cells that each see the whole picture.",
  frames: "{rate} frames a second",
  rotation: "Rotation in degrees",
  zoom: "Zoom",
  right: "Shift to the right",
  down: "Shift down",
  brightness: "Brightness",
  contrast: "Contrast",
  saturation: "Saturation",
  blurring: "Blur",
  noisiness: "Noise",
  reset: "Reset",
  augmented: "Augmented, with what the network looks at",
  broughtBack: "The same map brought back to the original",
  augmentHint:
    "Does the network still see the flower, and look at the same place? The map is turned and moved back by the inverse of what you chose.",
  trainHint: "Name two classes or more, give each a few pictures, and train a head on the frozen network.",
  className: "Name of the class",
  addClass: "Add a class",
  addPictures: "Add pictures",
  takePicture: "Take a picture",
  pictures: "Pictures: {count}",
  trainNow: "Train",
  needPictures: "Each class needs a name of its own and at least one picture.",
  training: "Epoch {epoch} of {epochs}, loss {loss}",
  trained: "Trained in {seconds} s; {accuracy} of the pictures are named rightly (they are the ones it learned from).",
  predict: "Predict a picture",
  save: "Save the model",
  saved: "Two files were saved: put model.json and model.safetensors into one folder, and load it in Node.",
  useTrained: "Use it in the other sections",
  samplesForTraining: "Fill in drawn flowers",
  profileHint: "One forward pass as the engine runs it: each node is one dispatch of one kernel.",
  measure: "Measure",
  node: "Node",
  kernel: "Kernel",
  time: "Time",
  dispatches: "{count} dispatches, {milliseconds} ms",
  source: "Source of the kernel, as the driver gets it",
  planTitle: "The plan: nodes in their order, with the values that they read",
  stop: "Stop",
  stopped: "Stopped.",
  benchLink: "How fast is the engine on this device? The benchmark",
  backToPage: "Back to the page",
  benchClaim: "How fast is the engine on this device?",
  benchPrivacy: "Everything is measured on this device; the page sends nothing to anybody.",
  benchHint:
    "The workloads of the engine's own benchmark, on MobileNetV2 with seeded random weights. Close other pages, and leave this one in front: times are those of the whole device. Each workload ends after {rounds} rounds, or after ten seconds and three rounds.",
  benchSoftware: "This adapter computes on the processor: large workloads take minutes here.",
  benchStart: "Measure the chosen ones",
  benchSave: "Save as JSON",
  benchAdapter: "Adapter: {adapter}",
  benchPreparing: "{name}: compiling and first run …",
  benchRound: "{name}: round {round} of {rounds}",
  benchDone: "Done: {count} workloads.",
  benchNone: "Choose at least one workload.",
  workload: "Workload",
  median: "Median, ms",
  p95: "95 % below, ms",
  forward: "Classes of 224 px images, {batch} at once",
  inputGradient: "The same with the gradient of the image, {batch} at once",
  integratedGradients: "Integrated Gradients, 50 steps",
  gradCam: "Grad-CAM of one image",
  headStep: "One training step of a head, {batch} feature vectors",
  fineTuneStep: "One training step of the whole network, {batch} images of {size} px",
  augmentBatch: "Augmentation of {batch} images of {size} px",
} as const;

export type TextKey = keyof typeof english;

const spanish: Record<TextKey, string> = {
  skip: "Saltar al contenido",
  claim: "Un clasificador de flores que funciona en esta página y dice por qué.",
  language: "Idioma",
  sections: "Secciones",
  privacy:
    "Las imágenes no salen de este dispositivo: la página no envía nada a nadie y funciona sin conexión tras la primera visita.",
  explain: "Explicar",
  live: "En vivo",
  augment: "Aumentar",
  train: "Entrenar",
  profile: "Perfil",
  loading: "Cargando la red …",
  ready: "Lista.",
  noGpuTitle: "Este navegador no ofrece WebGPU",
  noGpu:
    "La página calcula en la tarjeta gráfica mediante WebGPU y no ha encontrado ninguna. Ayuda: un Chrome, Edge, Safari o Firefox reciente; la aceleración por hardware activada en sus ajustes; una dirección con https, o localhost.",
  reload: "Probar otra vez",
  failed: "No ha funcionado: ",
  deviceLost: "La página ha perdido la tarjeta gráfica. Vuelva a cargarla para seguir.",
  open: "Elegir una imagen",
  drop: "Suelte aquí una imagen, o",
  samples: "o tome una flor dibujada:",
  photograph: "Fotografía",
  explanation: "Explicación",
  classes: "Clases",
  method: "Método",
  layer: "Capa",
  layerDefault: "la última antes del promedio",
  baseline: "Referencia",
  versus: "Frente a",
  nothing: "nada",
  knows: "Esta red conoce diez especies de flores dibujadas. Enséñele sus propias imágenes en Entrenar.",
  notTrained: "Lo que diga la red entrenada aparece aquí.",
  evidence: "Pruebas",
  status: "Estado",
  statusOk: "hay pruebas",
  statusNone: "sin pruebas a favor de esta clase",
  statusOpen: "no ha convergido: no se fíe de los detalles",
  cost: "Coste",
  costText: "pasadas: {forwards}, gradientes: {gradients}, {milliseconds} ms",
  gap: "Falta de completitud",
  evaluations: "Evaluaciones",
  mapSize: "Mapa",
  coarse: "grueso: cada celda representa una gran parte de la imagen",
  computing: "Calculando …",
  black: "negro",
  grey: "gris",
  white: "blanco",
  blur: "desenfocada",
  noise: "ruido",
  startCamera: "Encender la cámara",
  stopCamera: "Apagar la cámara",
  noCamera: "No se ha podido abrir ninguna cámara: {reason}",
  liveHint:
    "Los fotogramas van de la cámara al lienzo por la tarjeta gráfica; el mapa es el CAM exacto de la clase más probable. Es grueso: 3 × 3 celdas, y cada una ve toda la imagen.",
  frames: "{rate} fotogramas por segundo",
  rotation: "Giro en grados",
  zoom: "Zoom",
  right: "Desplazar a la derecha",
  down: "Desplazar hacia abajo",
  brightness: "Brillo",
  contrast: "Contraste",
  saturation: "Saturación",
  blurring: "Desenfoque",
  noisiness: "Ruido",
  reset: "Restablecer",
  augmented: "Aumentada, con lo que mira la red",
  broughtBack: "El mismo mapa devuelto al original",
  augmentHint:
    "¿Sigue viendo la red la flor, y mira el mismo lugar? El mapa se gira y se mueve de vuelta con la inversa de lo elegido.",
  trainHint: "Nombre dos clases o más, dé a cada una unas imágenes y entrene una cabeza sobre la red congelada.",
  className: "Nombre de la clase",
  addClass: "Añadir una clase",
  addPictures: "Añadir imágenes",
  takePicture: "Hacer una foto",
  pictures: "Imágenes: {count}",
  trainNow: "Entrenar",
  needPictures: "Cada clase necesita un nombre propio y al menos una imagen.",
  training: "Época {epoch} de {epochs}, pérdida {loss}",
  trained:
    "Entrenada en {seconds} s; {accuracy} de las imágenes quedan bien nombradas (son las mismas con las que aprendió).",
  predict: "Predecir una imagen",
  save: "Guardar el modelo",
  saved: "Se han guardado dos archivos: ponga model.json y model.safetensors en una carpeta y cárguela en Node.",
  useTrained: "Usarlo en las otras secciones",
  samplesForTraining: "Rellenar con flores dibujadas",
  profileHint: "Una pasada tal como la ejecuta el motor: cada nodo es una llamada a un núcleo.",
  measure: "Medir",
  node: "Nodo",
  kernel: "Núcleo",
  time: "Tiempo",
  dispatches: "{count} llamadas, {milliseconds} ms",
  source: "Código del núcleo, tal como lo recibe el controlador",
  planTitle: "El plan: los nodos en su orden, con los valores que leen",
  stop: "Parar",
  stopped: "Parado.",
  benchLink: "¿Qué velocidad alcanza el motor en este dispositivo? La prueba de rendimiento",
  backToPage: "Volver a la página",
  benchClaim: "¿Qué velocidad alcanza el motor en este dispositivo?",
  benchPrivacy: "Todo se mide en este dispositivo; la página no envía nada a nadie.",
  benchHint:
    "Las tareas de la prueba de rendimiento del propio motor, sobre MobileNetV2 con pesos aleatorios de semilla fija. Cierre otras páginas y deje esta delante: los tiempos son los de todo el dispositivo. Cada tarea acaba tras {rounds} rondas, o tras diez segundos y tres rondas.",
  benchSoftware: "Este adaptador calcula en el procesador: las tareas grandes tardan minutos.",
  benchStart: "Medir las elegidas",
  benchSave: "Guardar como JSON",
  benchAdapter: "Adaptador: {adapter}",
  benchPreparing: "{name}: compilación y primera ejecución …",
  benchRound: "{name}: ronda {round} de {rounds}",
  benchDone: "Hecho: {count} tareas.",
  benchNone: "Elija al menos una tarea.",
  workload: "Tarea",
  median: "Mediana, ms",
  p95: "95 % por debajo, ms",
  forward: "Clases de imágenes de 224 px, {batch} a la vez",
  inputGradient: "Lo mismo con el gradiente de la imagen, {batch} a la vez",
  integratedGradients: "Integrated Gradients, 50 pasos",
  gradCam: "Grad-CAM de una imagen",
  headStep: "Un paso de entrenamiento de una cabeza, {batch} vectores de características",
  fineTuneStep: "Un paso de entrenamiento de toda la red, {batch} imágenes de {size} px",
  augmentBatch: "Aumento de {batch} imágenes de {size} px",
};

export type Language = "en" | "es";
const tables: Record<Language, Record<TextKey, string>> = { en: english, es: spanish };

let current: Language = "en";

/** Speaks the first language, and from then on the one that is chosen; `onChange` draws anew what is no plain text. */
export function followLanguage(select: HTMLSelectElement, onChange: () => void): void {
  select.value = firstLanguage();
  setLanguage(firstLanguage());
  select.addEventListener("change", () => {
    setLanguage(select.value as Language);
    onChange();
  });
}

/** The language that the visitor chose before, or the browser's. */
function firstLanguage(): Language {
  const stored = readStored();
  if (stored) return stored;
  return navigator.language.toLowerCase().startsWith("es") ? "es" : "en";
}

function readStored(): Language | null {
  try {
    const value = localStorage.getItem("language");
    return value === "en" || value === "es" ? value : null;
  } catch {
    // Storage may be forbidden; the page then asks the browser each time.
    return null;
  }
}

function setLanguage(language: Language): void {
  current = language;
  document.documentElement.lang = language;
  try {
    localStorage.setItem("language", language);
  } catch {
    // As above.
  }
  for (const node of document.querySelectorAll<HTMLElement>("[data-text]"))
    node.textContent = text(node.dataset.text as TextKey);
  for (const node of document.querySelectorAll<HTMLElement>("[data-label]"))
    node.setAttribute("aria-label", text(node.dataset.label as TextKey));
}

/** A text in the chosen language, `{name}` replaced by the value of that name. */
export function text(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  return tables[current][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
