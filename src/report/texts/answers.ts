/** Texts of the five answers and of the notebook's choices. */
export const answerTexts = {
  "answers.title": { en: "The practical’s five questions", es: "Las cinco preguntas de la práctica" },
  "answers.what": {
    en: "Two models were trained with the same budget on the same images: a baseline without augmentation, and one with {0}. The rest of this page describes the {1} one, which did better on the validation images. Every answer is made of the figures of this run.",
    es: "Se entrenaron dos modelos con el mismo presupuesto y las mismas imágenes: uno base, sin aumento, y otro con {0}. El resto de la página describe el {1}, que fue mejor con las imágenes de validación. Cada respuesta sale de las cifras de esta ejecución.",
  },
  "answers.q1": { en: "1. Did data augmentation help?", es: "1. ¿Cómo afectó el aumento de datos?" },
  "answers.q2": { en: "2. Does the model look at the right places?", es: "2. ¿Mira el modelo las partes correctas?" },
  "answers.q3": {
    en: "3. Where was it wrong, and can it be explained?",
    es: "3. ¿Dónde se equivocó y se puede explicar?",
  },
  "answers.q4": {
    en: "4. Why must a flower app explain its answers?",
    es: "4. ¿Por qué debe explicarse una app de flores?",
  },
  "answers.q4.objects": {
    en: "4. Why must an app that names what it sees explain its answers?",
    es: "4. ¿Por qué debe explicarse una app que nombra lo que ve?",
  },
  "answers.q5": { en: "5. What would improve it?", es: "5. ¿Qué lo mejoraría?" },

  "answers.gain": { en: "Yes, on clean test images.", es: "Sí, con imágenes de prueba limpias." },
  "answers.loss": {
    en: "No: it cost accuracy on clean test images.",
    es: "No: costó exactitud con imágenes de prueba limpias.",
  },
  "answers.undecided": {
    en: "On clean test images these figures cannot tell.",
    es: "Con imágenes de prueba limpias, estas cifras no permiten decirlo.",
  },
  "answers.accuracies": {
    en: "The baseline answers {0} of {1} test images rightly, the augmented model {2}: {3} points (95 % interval {4} to {5}).",
    es: "El modelo base acierta {0} de {1} imágenes de prueba, el aumentado {2}: {3} puntos (intervalo del 95 %: {4} a {5}).",
  },
  "answers.seeds": { en: "Means over {0} seeds.", es: "Medias de {0} semillas." },
  "answers.mcNemar": {
    en: "{0} images only the baseline answers rightly, {1} only the augmented model (McNemar’s exact test, p = {2}).",
    es: "{0} imágenes solo las acierta el modelo base, {1} solo el aumentado (prueba exacta de McNemar, p = {2}).",
  },
  "answers.robustFewer": {
    en: "Under corruption the augmented model makes {0} fewer errors (mCE {1}{2}).",
    es: "Con corrupciones el modelo aumentado comete {0} menos errores (mCE {1}{2}).",
  },
  "answers.robustMore": {
    en: "Under corruption the augmented model makes {0} more errors (mCE {1}{2}).",
    es: "Con corrupciones el modelo aumentado comete {0} más errores (mCE {1}{2}).",
  },
  "answers.robustInterval": { en: ", 95 % interval {0} to {1}", es: ", intervalo del 95 %: {0} a {1}" },
  "answers.foreign": {
    en: "None of these corruptions is an operation of the policy.",
    es: "Ninguna de estas corrupciones es una operación de la política.",
  },
  "answers.own": {
    en: "Of these corruptions {0} are operations of the policy itself.",
    es: "De estas corrupciones, {0} son operaciones de la propia política.",
  },
  "answers.gap": {
    en: "Why: at its kept epoch the baseline answers {0} of its training images and {1} of the validation images, the augmented model {2} and {3}.",
    es: "Por qué: en su época guardada, el modelo base acierta {0} de sus imágenes de entrenamiento y {1} de las de validación; el aumentado, {2} y {3}.",
  },
  "answers.gapSmaller": {
    en: "Augmentation made it harder to learn images by heart: the gap between the two shrank by {0} points.",
    es: "El aumento hizo más difícil memorizar las imágenes: la diferencia entre ambas se redujo {0} puntos.",
  },
  "answers.gapSame": {
    en: "The baseline’s gap of {0} points leaves little learnt by heart for augmentation to prevent, so it mostly made the task harder for this budget.",
    es: "La diferencia de {0} puntos del modelo base deja poca memorización que el aumento pueda evitar, así que sobre todo hizo la tarea más difícil con este presupuesto.",
  },
  "answers.gapNone": {
    en: "The baseline does no better on its own images than on new ones: nothing is learnt by heart for augmentation to prevent, so it mostly made the task harder for this budget.",
    es: "El modelo base no acierta más con sus propias imágenes que con otras nuevas: no memoriza nada que el aumento pueda evitar, así que sobre todo hizo la tarea más difícil con este presupuesto.",
  },
  "answers.robustUncertain": {
    en: "These images cannot tell that from no difference.",
    es: "Estas imágenes no lo distinguen de ninguna diferencia.",
  },
  "answers.effect": {
    en: "Accuracy on clean images with its 95&nbsp;% interval, and under each corruption (mean over severities)",
    es: "Exactitud con imágenes limpias, con su intervalo del 95&nbsp;%, y con cada corrupción (media de las severidades)",
  },

  "answers.lookYes": { en: "Mostly yes.", es: "Casi siempre sí." },
  "answers.lookPartly": { en: "Only partly.", es: "Solo en parte." },
  "answers.lookNo": { en: "No, not reliably.", es: "No, no de forma fiable." },
  "answers.lookUnknown": {
    en: "Nobody outlined the flowers in these photographs, so only your eyes can judge the place.",
    es: "Nadie marcó el contorno de las flores en estas fotografías, así que solo tus ojos pueden juzgar el lugar.",
  },
  "answers.lookUnknown.objects": {
    en: "Nobody outlined the objects in these pictures, so only your eyes can judge the place.",
    es: "Nadie marcó el contorno de los objetos en estas imágenes, así que solo tus ojos pueden juzgar el lugar.",
  },
  "answers.pointing": {
    en: "{map}’s peak lies on the flower in {0} of {1} test images ({2}); {3} of the map’s mass is inside the outline, which covers {4} of the picture.",
    es: "El máximo de {map} cae sobre la flor en {0} de {1} imágenes de prueba ({2}); {3} de la masa del mapa está dentro del contorno, que cubre {4} de la imagen.",
  },
  "answers.coarse": {
    en: "GradCAM at the last activation, whose few cells each see the whole picture, has its peak on the flower in {0} of {1}: it is shown beside, and no place is read from it.",
    es: "GradCAM en la última activación, cuyas pocas celdas ven toda la imagen, tiene su máximo sobre la flor en {0} de {1}: se muestra al lado, y no se lee en él ningún lugar.",
  },
  "answers.surprise": {
    en: "What surprises: {0} of {1} right answers have their peak beside the flower. Right, but perhaps for a wrong reason.",
    es: "Lo que sorprende: {0} de {1} aciertos tienen su máximo fuera de la flor. Correctos, pero quizá por una razón equivocada.",
  },
  "answers.noSurprise": {
    en: "No right answer has its peak beside the flower.",
    es: "Ningún acierto tiene su máximo fuera de la flor.",
  },
  "answers.curvesGood": {
    en: "And the maps show what decides: shown pixel by pixel in the map’s order, an image regains its answer faster than in random order (insertion {0} against {1}), and loses it faster when they are taken away (deletion {2} against {3}; {4} images).",
    es: "Y los mapas muestran lo que decide: al mostrar los píxeles en el orden del mapa, la imagen recupera su respuesta antes que al azar (inserción {0} frente a {1}), y la pierde antes al quitarlos (borrado {2} frente a {3}; {4} imágenes).",
  },
  "answers.curvesBad": {
    en: "But the maps do not pass both tests against random order: insertion {0} against {1} (higher is better), deletion {2} against {3} (lower is better), on {4} images. Do not read more into them than that.",
    es: "Pero los mapas no superan las dos pruebas frente al orden al azar: inserción {0} frente a {1} (más es mejor), borrado {2} frente a {3} (menos es mejor), en {4} imágenes. No conviene leer en ellos más que eso.",
  },
  "answers.lookFigure": {
    en: "{map} for the answer; images whose peak lies beside the flower come first",
    es: "{map} de la respuesta; primero las imágenes con el máximo fuera de la flor",
  },
  "answers.lookFigurePlain": { en: "{map} for the answer", es: "{map} de la respuesta" },

  "answers.noMistake": {
    en: "It was not wrong once on {0} test images. That says the test is easy, not that the model is perfect.",
    es: "No se equivocó ni una vez en {0} imágenes de prueba. Eso dice que la prueba es fácil, no que el modelo sea perfecto.",
  },
  "answers.mistake": {
    en: "The surest mistake: <strong>{0}</strong> is a {1}, and the model answered {2} with {3} confidence; it gave the truth {4}.",
    es: "El error más seguro: <strong>{0}</strong> es {1} y el modelo respondió {2} con una confianza de {3}; a la verdad le dio {4}.",
  },
  "answers.sameRegion": {
    en: "Both maps show nearly the same region (overlap {0}): it looked at one place and read it as the other class. The shapes are confused there, not the place.",
    es: "Ambos mapas muestran casi la misma región (solapamiento {0}): miró un lugar y lo leyó como la otra clase. Confunde las formas, no el lugar.",
  },
  "answers.otherRegion": {
    en: "The maps show different regions (overlap {0}): the evidence for the truth lies elsewhere in the picture and was outweighed.",
    es: "Los mapas muestran regiones distintas (solapamiento {0}): la evidencia de la verdad está en otra parte de la imagen y pesó menos.",
  },
  "answers.offObject": {
    en: "The wrong answer’s peak lies beside the flower: the background spoke.",
    es: "El máximo de la respuesta errónea está fuera de la flor: habló el fondo.",
  },
  "answers.onObject": {
    en: "The wrong answer’s peak lies on the flower: it is no slip to the background.",
    es: "El máximo de la respuesta errónea está sobre la flor: no es un desliz hacia el fondo.",
  },
  "answers.pairOften": {
    en: "It is no single case: {0} of {1} test images of {2} are taken for {3}.",
    es: "No es un caso aislado: {0} de {1} imágenes de prueba de {2} se toman por {3}.",
  },
  "answers.pairOnce": {
    en: "It is the only test image of {0} that is taken for {1}.",
    es: "Es la única imagen de prueba de {0} que se toma por {1}.",
  },
  "answers.mistakeFigure": {
    en: "The image, and {map} for both classes",
    es: "La imagen, y {map} para ambas clases",
  },

  "answers.why": {
    en: "Who asks an app for a flower’s name may want to eat, pick or treat the plant, and cannot check the answer: that is why they ask. A name without a reason looks the same whether it is right, guessed or read off the background. A map lets a person see when the model did not look at the flower, and a developer find faults that accuracy hides. Found in this run:",
    es: "Quien pregunta a una app el nombre de una flor quizá quiera comerla, cogerla o tratarla, y no puede comprobar la respuesta: por eso pregunta. Un nombre sin razón parece igual si es correcto, adivinado o leído del fondo. Un mapa deja ver cuándo el modelo no miró la flor, y encontrar fallos que la exactitud esconde. Hallado en esta ejecución:",
  },
  "answers.why.objects": {
    en: "Who asks an app what a picture shows often cannot check the answer: that is why they ask. A name without a reason looks the same whether it is right, guessed or read off the background. A map lets a person see when the model did not look at the object, and a developer find faults that accuracy hides. Found in this run:",
    es: "Quien pregunta a una app qué muestra una imagen muchas veces no puede comprobar la respuesta: por eso pregunta. Un nombre sin razón parece igual si es correcto, adivinado o leído del fondo. Un mapa deja ver cuándo el modelo no miró el objeto, y encontrar fallos que la exactitud esconde. Hallado en esta ejecución:",
  },
  "risk.sure": {
    en: "<strong>Sure and wrong.</strong> {0} of {1} answers were wrong although given with 80 % confidence or more; the surest with {2}.",
    es: "<strong>Seguro y equivocado.</strong> {0} de {1} respuestas eran erróneas aunque se dieron con un 80 % de confianza o más; la más segura, con {2}.",
  },
  "risk.calibration": {
    en: "<strong>A confidence that cannot be taken at its word.</strong> On average it is {0} away from the share of right answers ({1}).",
    es: "<strong>Una confianza que no se puede tomar al pie de la letra.</strong> En promedio se aparta {0} de la proporción de aciertos ({1}).",
  },
  "risk.over": { en: "too sure", es: "demasiado segura" },
  "risk.under": { en: "too unsure", es: "demasiado insegura" },
  "risk.corruption": {
    en: "<strong>Poor pictures.</strong> Under {0} the accuracy falls from {1} to {2}, and to {3} at the highest severity: a phone’s camera does such things.",
    es: "<strong>Malas fotografías.</strong> Con {0} la exactitud baja de {1} a {2}, y a {3} con la mayor severidad: la cámara de un móvil hace cosas así.",
  },
  "risk.beside": {
    en: "<strong>Right for a wrong reason.</strong> {0} of {1} right answers have their peak beside the flower; elsewhere the same background may mislead it.",
    es: "<strong>Acertar por una razón equivocada.</strong> {0} de {1} aciertos tienen el máximo fuera de la flor; en otro lugar, el mismo fondo puede engañarlo.",
  },
  "risk.fragile": {
    en: "<strong>Answers that depend on the training.</strong> The two models, trained on the same images, disagree about being right on {0} of {1} test images.",
    es: "<strong>Respuestas que dependen del entrenamiento.</strong> Los dos modelos, entrenados con las mismas imágenes, difieren en el acierto en {0} de {1} imágenes de prueba.",
  },
  "answers.noRisk": {
    en: "none of the risks that this run looks for; a larger test may find some.",
    es: "ninguno de los riesgos que busca esta ejecución; una prueba mayor puede encontrar alguno.",
  },
  "answers.trust": {
    en: "Accuracy of the answers by their confidence",
    es: "Exactitud de las respuestas según su confianza",
  },

  "answers.ranked": {
    en: "In the order of the percentage points that each concerns in this run; the points of different proposals overlap and must not be added.",
    es: "En el orden de los puntos porcentuales a los que afecta cada una en esta ejecución; los puntos de distintas propuestas se solapan y no se deben sumar.",
  },
  "answers.nothing": {
    en: "Nothing measured here is worth half a point: the next step is harder test images.",
    es: "Nada de lo medido aquí vale medio punto: el siguiente paso son imágenes de prueba más difíciles.",
  },
  "improve.capacity": {
    en: "<strong>Let it learn more.</strong> It answers only {0} of its own training images rightly: unfreeze the last blocks, take a larger network, or a higher resolution.",
    es: "<strong>Dejar que aprenda más.</strong> Solo acierta {0} de sus propias imágenes de entrenamiento: descongelar los últimos bloques, una red mayor o más resolución.",
  },
  "improve.generalisation": {
    en: "<strong>More or more varied data.</strong> {0} on training images against {1} on validation images: collect images, augment more strongly, regularise.",
    es: "<strong>Más datos o más variados.</strong> {0} en entrenamiento frente a {1} en validación: reunir imágenes, aumentar con más fuerza, regularizar.",
  },
  "improve.epochs": {
    en: "<strong>More epochs.</strong> The last epoch, number {0}, was the best one: the validation accuracy was still rising.",
    es: "<strong>Más épocas.</strong> La última época, la {0}, fue la mejor: la exactitud de validación seguía subiendo.",
  },
  "improve.pair": {
    en: "<strong>More examples of {0} and {1}.</strong> {2} test images are taken for the other of the two.",
    es: "<strong>Más ejemplos de {0} y {1}.</strong> {2} imágenes de prueba se toman por la otra de las dos.",
  },
  "improve.corruption": {
    en: "<strong>Train for {0}.</strong> It takes the accuracy from {1} to {2}, averaged over severities: add it, or its like, to the policy.",
    es: "<strong>Entrenar para {0}.</strong> Baja la exactitud de {1} a {2}, en promedio sobre las severidades: añadirlo, o algo parecido, a la política.",
  },
  "improve.background": {
    en: "<strong>Make the background useless.</strong> {0} of {1} right answers peak beside the flower: vary or mask the backgrounds, crop closer.",
    es: "<strong>Hacer inútil el fondo.</strong> {0} de {1} aciertos tienen el máximo fuera de la flor: variar o tapar los fondos, recortar más cerca.",
  },
  "improve.calibration": {
    en: "<strong>Calibrate.</strong> The confidence is off by {0} on average: scale the logits by a temperature fitted on the validation images; accuracy stays.",
    es: "<strong>Calibrar.</strong> La confianza se desvía {0} en promedio: escalar los logits con una temperatura ajustada en validación; la exactitud no cambia.",
  },
  "improve.scratch": {
    en: "<strong>Train more than the head.</strong> A small network from scratch, all of it trained on the same images, answers {0} of the test images rightly, the head on frozen features {1}: unfreeze the backbone’s last blocks.",
    es: "<strong>Entrenar más que la cabeza.</strong> Una red pequeña desde cero, entrenada entera con las mismas imágenes, acierta {0} de las imágenes de prueba, y la cabeza sobre características congeladas {1}: descongelar los últimos bloques de la red base.",
  },
  "improve.testImages": {
    en: "<strong>Measure more finely.</strong> The effect of augmentation lies between {0} and {1} points: more seeds or test images before deciding on it (<code>--full</code>).",
    es: "<strong>Medir con más finura.</strong> El efecto del aumento está entre {0} y {1} puntos: más semillas o imágenes de prueba antes de decidir (<code>--full</code>).",
  },
  "kind.capacity": { en: "learn more", es: "aprender más" },
  "kind.generalisation": { en: "more data", es: "más datos" },
  "kind.epochs": { en: "more epochs", es: "más épocas" },
  "kind.pair": { en: "confused pair", es: "par confundido" },
  "kind.corruption": { en: "worst corruption", es: "peor corrupción" },
  "kind.background": { en: "background", es: "fondo" },
  "kind.calibration": { en: "calibration", es: "calibración" },
  "kind.scratch": { en: "unfreeze", es: "descongelar" },
  "kind.testImages": { en: "finer test", es: "prueba más fina" },

  "scratch.title": { en: "Transfer, or from scratch?", es: "¿Transferir o empezar de cero?" },
  "scratch.what": {
    en: "A head on the frozen backbone, and smallCnn with all its layers from random weights: the same {0} training images without augmentation, the epoch chosen on the same validation images, the same test images.",
    es: "Una cabeza sobre la red base congelada, y smallCnn con todas sus capas desde pesos aleatorios: las mismas {0} imágenes de entrenamiento sin aumento, la época elegida con las mismas imágenes de validación, las mismas imágenes de prueba.",
  },
  "scratch.transfer": {
    en: "Transfer is better by {0} points (95&nbsp;% interval {1} to {2}, McNemar p = {3}).",
    es: "Transferir es mejor por {0} puntos (intervalo del 95&nbsp;% de {1} a {2}, McNemar p = {3}).",
  },
  "scratch.scratch": {
    en: "From scratch is better here, by {0} points (95&nbsp;% interval {1} to {2}, McNemar p = {3}).",
    es: "Aquí es mejor empezar de cero, por {0} puntos (intervalo del 95&nbsp;% de {1} a {2}, McNemar p = {3}).",
  },
  "scratch.transferWhy": {
    en: "What the backbone learnt from other pictures is worth more than what so few images can teach from nothing, and only the head had to be trained.",
    es: "Lo que la red base aprendió de otras imágenes vale más que lo que tan pocas pueden enseñar desde cero, y solo hubo que entrenar la cabeza.",
  },
  "scratch.scratchWhy": {
    en: "The frozen features were learnt from other pictures and a head cannot change them, while these images are many and alike enough to teach features of their own. That is no verdict on transfer: to unfreeze the backbone is the next thing to try.",
    es: "Las características congeladas se aprendieron de otras imágenes y una cabeza no puede cambiarlas, mientras que estas imágenes son lo bastante numerosas y parecidas como para enseñar las suyas. No es un veredicto sobre transferir: lo siguiente es descongelar la red base.",
  },
  "scratch.open": {
    en: "These images do not decide between them: transfer differs by {0} points (95&nbsp;% interval {1} to {2}, McNemar p = {3}).",
    es: "Estas imágenes no deciden entre las dos: transferir difiere en {0} puntos (intervalo del 95&nbsp;% de {1} a {2}, McNemar p = {3}).",
  },
  "scratch.curves": {
    en: "Validation accuracy by epoch",
    es: "Exactitud de validación por época",
  },
  "scratch.trained": { en: "weights trained", es: "pesos entrenados" },
  "scratch.all": { en: "weights in all", es: "pesos en total" },
  "scratch.epochs": { en: "epochs", es: "épocas" },
  "scratch.size": { en: "input in pixels", es: "entrada en píxeles" },
  "scratch.head": { en: "head on the frozen backbone", es: "cabeza sobre la red base congelada" },
  "scratch.small": { en: "smallCnn from scratch", es: "smallCnn desde cero" },

  "notebook.title": { en: "What the notebook’s choices cost", es: "Lo que cuestan las decisiones del cuaderno" },
  "notebook.what": {
    en: "Each choice of the original notebook was put in the place of the right one, alone, on the same images.",
    es: "Cada decisión del cuaderno original se puso en lugar de la correcta, una a una, con las mismas imágenes.",
  },
  "notebook.choice": { en: "the notebook’s choice", es: "decisión del cuaderno" },
  "notebook.correct": { en: "done right", es: "hecho bien" },
  "notebook.notebook": { en: "as in the notebook", es: "como en el cuaderno" },
  "notebook.cost": { en: "difference", es: "diferencia" },
  "notebook.measure": { en: "what is measured", es: "qué se mide" },
  "notebook.cannot": {
    en: "not measurable here: it needs weights of MobileNetV2 (<code>--weights</code>)",
    es: "no se puede medir aquí: necesita pesos de MobileNetV2 (<code>--weights</code>)",
  },
  "notebook.fall": {
    en: "The preprocessing alone takes the accuracy from {0} to {1}.",
    es: "El preprocesamiento por sí solo lleva la exactitud de {0} a {1}.",
  },
  "choice.preprocessing": {
    en: "EfficientNet’s preprocessing (the identity) for MobileNetV2",
    es: "Preprocesamiento de EfficientNet (la identidad) para MobileNetV2",
  },
  "measure.preprocessing": {
    en: "test accuracy, head trained on each",
    es: "exactitud en la prueba, cabeza entrenada con cada uno",
  },
  "choice.validationIsTest": {
    en: "The test images validate, and the best epoch is reported",
    es: "Las imágenes de prueba validan y se informa de la mejor época",
  },
  "measure.validationIsTest": {
    en: "reported accuracy, against the epoch chosen on validation images",
    es: "exactitud informada, frente a la época elegida con validación",
  },
  "choice.notSaved": {
    en: "The best epoch is reported, the last one is saved",
    es: "Se informa de la mejor época y se guarda la última",
  },
  "measure.notSaved": {
    en: "test accuracy of what is reported, and of what is saved",
    es: "exactitud de lo que se informa y de lo que se guarda",
  },
  "choice.resampling": {
    en: "Rotation, zoom and translation one after the other",
    es: "Rotación, zoom y traslación una tras otra",
  },
  "measure.resampling": {
    en: "fine detail left after augmentation, of the unchanged images’ (mean difference of neighbours)",
    es: "detalle fino tras el aumento, respecto a las imágenes sin cambiar (diferencia media entre vecinos)",
  },
  "choice.probabilityScore": {
    en: "GradCAM of the probability instead of the logit",
    es: "GradCAM de la probabilidad en lugar del logit",
  },
  "measure.probabilityScore": {
    en: "evidence of the map’s peak (median; 1 is the logit’s)",
    es: "evidencia del máximo del mapa (mediana; 1 es la del logit)",
  },
  "choice.layerByName": {
    en: "GradCAM at the last layer with “conv” in its name (Conv_1_bn)",
    es: "GradCAM en la última capa con «conv» en su nombre (Conv_1_bn)",
  },
  "measure.layerByName": {
    en: "correlation with the map of the last activation",
    es: "correlación con el mapa de la última activación",
  },
  "choice.linspace": {
    en: "Integrated Gradients: mean at 50 evenly spaced points, from zeros",
    es: "Gradientes integrados: media en 50 puntos equidistantes, desde ceros",
  },
  "measure.linspace": {
    en: "completeness gap, relative to the change of the score (mean)",
    es: "falta de completitud, relativa al cambio de la puntuación (media)",
  },
} as const;
