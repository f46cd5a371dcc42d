"""Slot values of a household, in English and Russian: rooms, devices, shopping, timers, music.

Home Assistant's templates leave these lists to the user. The values are ours. Russian values have the form that the
templates need most often (rooms after "в" or "на", goods in the accusative).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["VALUES"]

Pair = tuple[str, str]

_AREAS: tuple[Pair, ...] = (
    ("kitchen", "кухне"), ("bedroom", "спальне"), ("living room", "гостиной"), ("bathroom", "ванной"),
    ("hallway", "коридоре"), ("garage", "гараже"), ("basement", "подвале"), ("attic", "чердаке"),
    ("dining room", "столовой"), ("study", "кабинете"), ("nursery", "детской"), ("guest room", "гостевой комнате"),
    ("garden", "саду"), ("balcony", "балконе"), ("terrace", "террасе"), ("laundry room", "прачечной"),
    ("pantry", "кладовке"), ("library", "библиотеке"), ("workshop", "мастерской"), ("gym", "спортзале"),
    ("entrance", "прихожей"), ("toilet", "туалете"), ("dressing room", "гардеробной"), ("sauna", "сауне"),
    ("greenhouse", "теплице"), ("porch", "крыльце"), ("wine cellar", "винном погребе"), ("pool", "бассейне"),
    ("home cinema", "домашнем кинотеатре"), ("boiler room", "котельной"), ("yard", "дворе"), ("shed", "сарае"),
)  # fmt: skip
_FLOORS: tuple[Pair, ...] = (  # the Russian templates say "этаж" themselves
    ("first floor", "первом"), ("second floor", "втором"), ("third floor", "третьем"), ("ground floor", "нижнем"),
    ("top floor", "верхнем"), ("middle floor", "среднем"),
)  # fmt: skip
_NAMES: tuple[Pair, ...] = (
    ("desk lamp", "настольную лампу"), ("ceiling light", "люстру"), ("night light", "ночник"),
    ("floor lamp", "торшер"), ("fan", "вентилятор"), ("heater", "обогреватель"), ("air conditioner", "кондиционер"),
    ("television", "телевизор"), ("radio", "радио"), ("coffee machine", "кофемашину"), ("kettle", "чайник"),
    ("washing machine", "стиральную машину"), ("dishwasher", "посудомойку"), ("oven", "духовку"),
    ("front door", "входную дверь"), ("back door", "заднюю дверь"), ("gate", "ворота"), ("curtains", "шторы"),
    ("left blind", "левую штору"), ("skylight", "мансардное окно"), ("robot vacuum", "робот пылесос"),
    ("humidifier", "увлажнитель"), ("christmas tree", "новогоднюю ёлку"), ("aquarium", "аквариум"),
    ("speaker", "колонку"), ("projector", "проектор"), ("printer", "принтер"), ("charger", "зарядку"),
    ("water pump", "водяной насос"), ("boiler", "котёл"), ("fireplace", "камин"), ("garage door", "гаражную дверь"),
    ("doorbell", "дверной звонок"), ("sprinkler", "поливалку"), ("lawn mower", "газонокосилку"),
    ("mirror light", "подсветку зеркала"), ("bedside lamp", "прикроватную лампу"), ("garland", "гирлянду"),
    ("extractor hood", "вытяжку"), ("toaster", "тостер"),
)  # fmt: skip
_GOODS: tuple[Pair, ...] = (
    ("milk", "молоко"), ("bread", "хлеб"), ("eggs", "яйца"), ("butter", "масло"), ("cheese", "сыр"),
    ("apples", "яблоки"), ("bananas", "бананы"), ("tomatoes", "помидоры"), ("cucumbers", "огурцы"),
    ("potatoes", "картошку"), ("onions", "лук"), ("garlic", "чеснок"), ("rice", "рис"), ("pasta", "макароны"),
    ("flour", "муку"), ("sugar", "сахар"), ("salt", "соль"), ("black pepper", "чёрный перец"), ("tea", "чай"),
    ("ground coffee", "молотый кофе"), ("orange juice", "апельсиновый сок"), ("mineral water", "минеральную воду"),
    ("chicken", "курицу"), ("fish", "рыбу"), ("sausages", "сосиски"), ("yoghurt", "йогурт"), ("sour cream", "сметану"),
    ("honey", "мёд"), ("chocolate", "шоколад"), ("ice cream", "мороженое"), ("soap", "мыло"),
    ("toothpaste", "зубную пасту"), ("toilet paper", "туалетную бумагу"), ("washing powder", "стиральный порошок"),
    ("batteries", "батарейки"), ("light bulbs", "лампочки"), ("cat food", "корм для кошки"), ("napkins", "салфетки"),
    ("mushrooms", "грибы"), ("strawberries", "клубнику"), ("carrots", "морковь"), ("cabbage", "капусту"),
)  # fmt: skip
_TASKS: tuple[Pair, ...] = (
    ("call mom", "позвонить маме"), ("pay the rent", "заплатить за квартиру"), ("water the flowers", "полить цветы"),
    ("walk the dog", "погулять с собакой"), ("clean the windows", "помыть окна"),
    ("book a dentist", "записаться к врачу"), ("send the letter", "отправить письмо"),
    ("fix the tap", "починить кран"), ("buy tickets", "купить билеты"),
    ("wash the car", "помыть машину"), ("iron the shirts", "погладить рубашки"), ("do homework", "сделать уроки"),
)  # fmt: skip
_TIMERS: tuple[Pair, ...] = (
    ("pizza", "пицца"), ("pasta", "паста"), ("eggs", "яйца"), ("tea", "чай"), ("cake", "пирог"), ("laundry", "стирка"),
    ("workout", "тренировка"), ("homework", "уроки"), ("nap", "сон"), ("soup", "суп"), ("bread", "хлеб"),
    ("meeting", "встреча"), ("break", "перерыв"), ("potatoes", "картошка"), ("chicken", "курица"), ("game", "игра"),
)  # fmt: skip
_MESSAGES: tuple[Pair, ...] = (
    ("dinner is ready", "ужин готов"), ("time to sleep", "пора спать"), ("i am home", "я дома"),
    ("come downstairs", "спускайтесь вниз"), ("the taxi is here", "такси приехало"), ("good morning", "доброе утро"),
    ("the film starts", "фильм начинается"), ("guests have arrived", "гости пришли"),
)  # fmt: skip
_MUSIC: tuple[Pair, ...] = (
    ("queen", "квин"), ("the beatles", "битлз"), ("mozart", "моцарта"), ("jazz", "джаз"), ("rock music", "рок музыку"),
    ("lullabies", "колыбельные"), ("classical music", "классическую музыку"), ("abba", "аббу"), ("blues", "блюз"),
    ("christmas songs", "новогодние песни"), ("tchaikovsky", "чайковского"), ("madonna", "мадонну"),
    ("morning playlist", "утренний плейлист"), ("relaxing music", "спокойную музыку"), ("bach", "баха"),
    ("songs for children", "детские песни"),
)  # fmt: skip
_COMMANDS: tuple[Pair, ...] = (
    ("turn off the lights", "выключи свет"), ("open the curtains", "открой шторы"), ("lock the door", "запри дверь"),
    ("start the vacuum", "включи пылесос"), ("pause the music", "поставь музыку на паузу"),
    ("close the garage", "закрой гараж"),
)  # fmt: skip

VALUES: Mapping[str, tuple[Pair, ...]] = MappingProxyType(
    {
        "area": _AREAS,
        "floor": _FLOORS,
        "name": _NAMES,
        "shopping_list_item": _GOODS,
        "todo_list_item": _TASKS,
        "timer_name": _TIMERS,
        "timer_command": _COMMANDS,
        "message": _MESSAGES,
        "search_query": _MUSIC,
        "zone": (("work", "работе"), ("school", "школе"), ("home", "доме"), ("the office", "офисе")),
    }
)
"""List of Home Assistant's templates -> (English, Russian) values."""
