"""Texts, images and word vectors of the synthetic MMHS150K. All words are made up."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from stages.datasets.mmhs.source import IMAGES, TEXTS, image_path
from stages.datasets.mmhs.synthetic.tweets import SyntheticTweets

# Of the term that decides, pairs of lists: where it is +1 most of a tweet's words are of the first, else of the second.
WORDS = {
    "keyword": (("florp", "mibble", "tandle"), ("quelm", "zeddle", "vimsy")),
    "pair": (("brindo", "larpel", "sumwick"), ("dorvane", "keltup", "mosbin")),
    "copied": (("glaven", "tirrup", "wemble"), ("fanzo", "ordley", "pluvin")),
}
SHOWN_BY = {
    "keyword": f"tweets: {', '.join(WORDS['keyword'][0])}, or {', '.join(WORDS['keyword'][1])}",
    "word_bit": f"tweets: {', '.join(WORDS['pair'][0])}, or {', '.join(WORDS['pair'][1])}",
    "image_bit": "images: one large bright disc, or a row of dark bars",
    "copied": f"tweets and texts in images: {', '.join(WORDS['copied'][0])}, or {', '.join(WORDS['copied'][1])}",
}
TOPICS = ("aldro", "benvi", "cortu", "demla", "efrin")  # of the five kinds of hate
FILLERS = ("lorvin", "hesta", "imbro", "jundle", "kapri", "nolbo", "ostin")
UNKNOWN = ("zorblat", "quixnar")  # no vector
NUM_WORDS = {"keyword": 8, "pair": 16, "copied": 8}  # a bit must be plain to see: an exclusive or is hard to learn
NUM_TOPICS, NUM_FILLERS, NUM_COPIED = 4, 3, 5
SHARE_OWN = 0.95  # of the words of a term, those of the list that it asks for
SHARE_OTHER_TEXTS = 0.25  # of images of tweets whose words are not copied, those with a text that means nothing
SIDE, QUALITY = 64, 90  # pixels; JPEG quality
GROUNDS = ((160, 70, 90), (90, 70, 160), (80, 140, 90), (150, 140, 80))
DESIGNS = 8  # images that show the same; a file that many tweets have goes through the network once
DIM = 100  # of word vectors


def write_words(tweets: SyntheticTweets, row: int, generator: np.random.Generator) -> list[str]:
    """Return the words of a tweet, in no order: of the term that decides, of its topic, and some that mean nothing."""
    cause = str(tweets.cause[row])
    sign = tweets.terms["word_bit" if cause == "pair" else cause][row]
    own, other = WORDS[cause] if sign > 0 else WORDS[cause][::-1]
    is_own = generator.random(NUM_WORDS[cause]) < SHARE_OWN
    words = [str(generator.choice(own if as_asked else other)) for as_asked in is_own]
    words += [TOPICS[tweets.kinds[row] - 1]] * NUM_TOPICS
    words += generator.choice([*FILLERS, *UNKNOWN], NUM_FILLERS).tolist()
    return [str(word) for word in generator.permutation(words)]


def write_tweet(words: list[str], number: int, generator: np.random.Generator) -> str:
    """Return a tweet as Twitter has it: words after a mention, with a tag, an entity of HTML and a link."""
    mark = ("", "RT ")[int(generator.integers(2))]
    body = f" #{words[0].title()} &amp; {' '.join(words[1:])}" if words else ""
    return f"{mark}@someone{number}:{body} https://t.co/{number:010d}"


def write_texts(folder: Path, tweets: SyntheticTweets, generator: np.random.Generator) -> list[str]:
    """Write img_txt/<id>.json of the images that have a text, and return all tweets' texts."""
    (folder / TEXTS).mkdir()
    words: list[list[str]] = []
    inside: list[str] = []
    texts = []
    for row, tweet in enumerate(tweets.ids):
        source = int(tweets.source[row])
        if source == row:
            words.append(write_words(tweets, row, generator) if tweets.has_words[row] else [])
            inside.append(write_inside(str(tweets.cause[row]), words[row], generator))
        else:
            words.append(words[source])
            inside.append(inside[source])
        texts.append(write_tweet(words[row], row, generator))
        if inside[row]:
            (folder / TEXTS / f"{tweet}.json").write_text(json.dumps({"img_text": inside[row]}), encoding="utf-8")
    return texts


def write_inside(cause: str, words: list[str], generator: np.random.Generator) -> str:
    """Return the text inside an image, as OCR reads it: words copied from the tweet, or some that mean nothing."""
    if cause == "copied":
        shown = {word for own in WORDS["copied"] for word in own}
        return " ".join([word for word in words if word in shown][:NUM_COPIED]).upper()
    has_text = generator.random() < SHARE_OTHER_TEXTS
    return " ".join(generator.choice(FILLERS, NUM_FILLERS)).upper() if has_text else ""


def draw_image(generator: np.random.Generator, *, disc: bool) -> Image.Image:
    """Draw a bright disc or a row of dark bars over noise; the colour of the ground means nothing."""
    pixels = np.empty((SIDE, SIDE, 3))
    pixels[:] = GROUNDS[int(generator.integers(len(GROUNDS)))]
    pixels += generator.normal(scale=8, size=pixels.shape)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    drawing = ImageDraw.Draw(image)
    left, top = (int(generator.integers(4, 10)) for _ in range(2))
    if disc:
        drawing.ellipse((left, top, left + 50, top + 50), fill=(255, 255, 200))
    else:
        for bar in range(left, SIDE - 5, 10):
            drawing.rectangle((bar, top, bar + 4, top + 50), fill=(10, 10, 10))
    return image


def write_images(folder: Path, tweets: SyntheticTweets, generator: np.random.Generator) -> None:
    """Write img_resized/<id>.jpg of every tweet that has one: one of the DESIGNS that show its term."""
    (folder / IMAGES).mkdir()
    files = {disc: [_jpeg(draw_image(generator, disc=disc)) for _ in range(DESIGNS)] for disc in (True, False)}
    designs = generator.integers(DESIGNS, size=len(tweets.ids))[tweets.source]
    for row, tweet in enumerate(tweets.ids):
        if tweets.has_image[row]:
            content = files[bool(tweets.terms["image_bit"][row] > 0)][designs[row]]
            image_path(str(folder), tweet).write_bytes(content)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def write_vectors(path: Path, generator: np.random.Generator) -> None:
    """Write random word vectors in word2vec's binary format, for all words but UNKNOWN."""
    words = [*TOPICS, *FILLERS, *(word for pair in WORDS.values() for own in pair for word in own)]
    vectors = generator.normal(scale=0.2, size=(len(words), DIM)).astype("<f4")
    with path.open("wb") as stream:
        stream.write(f"{len(words)} {DIM}\n".encode())
        for word, vector in zip(words, vectors, strict=True):
            stream.write(word.encode() + b" " + vector.tobytes() + b"\n")
