/** Words inside charts: plain, without markup. */
export const chartTexts = {
  "chart.training": { en: "training", es: "entrenamiento" },
  "chart.validation": { en: "validation", es: "validación" },
  "chart.epoch": { en: "epoch", es: "época" },
  "chart.kept": { en: "kept: epoch {0}", es: "guardada: época {0}" },
  "chart.loss": { en: "loss", es: "pérdida" },
  "chart.accuracy": { en: "accuracy", es: "exactitud" },
  "chart.history": { en: "{0} per epoch, training and validation", es: "{0} por época, entrenamiento y validación" },
  "chart.perClass": { en: "recall and precision per class", es: "exhaustividad y precisión por clase" },
  "chart.share": { en: "share of images", es: "proporción de imágenes" },
  "chart.guessing": { en: "guessing", es: "azar" },
  "chart.model": { en: "this model", es: "este modelo" },
  "chart.gauge": {
    en: "test accuracy {0}, 95 % interval {1} to {2}, guessing {3}",
    es: "exactitud en la prueba {0}, intervalo del 95 % de {1} a {2}, azar {3}",
  },
  "chart.reliability": {
    en: "reliability diagram, expected calibration error {0}",
    es: "diagrama de fiabilidad, error de calibración esperado {0}",
  },
  "chart.confidence": { en: "confidence of the answer", es: "confianza de la respuesta" },
  "chart.confidences": { en: "share of the answers by their confidence", es: "respuestas según su confianza" },
  "chart.meanCurves": {
    en: "mean accuracy over the corruptions by severity, one curve a model",
    es: "exactitud media por severidad, una curva por modelo",
  },
  "chart.familyCurves": {
    en: "accuracy by severity for each corruption, one curve a model",
    es: "exactitud por severidad en cada corrupción, una curva por modelo",
  },
  "chart.severity": { en: "severity, 0 is the clean image", es: "severidad, 0 es la imagen limpia" },
  "chart.corruptionError": {
    en: "corruption error of each family relative to the baseline",
    es: "error de cada corrupción relativo al modelo base",
  },
  "chart.relative": {
    en: "errors relative to the baseline, lower is better",
    es: "errores relativos al modelo base; menos es mejor",
  },
  "chart.effect": {
    en: "accuracy of the baseline and the augmented model on clean and on corrupted images",
    es: "exactitud del modelo base y del aumentado en imágenes limpias y corrompidas",
  },
  "chart.clean": { en: "clean", es: "limpia" },
  "chart.improvements": {
    en: "percentage points that each improvement concerns",
    es: "puntos porcentuales a los que afecta cada mejora",
  },
  "chart.points": { en: "percentage points at stake", es: "puntos porcentuales en juego" },
} as const;
