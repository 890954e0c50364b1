"""Words beside "user" and "account" that are no logins, and family names that make a login behind an initial."""

from rca_dist.tickets.redaction.base import words_of

# Accounts that name nobody; what is wrong with them is signal.
BUILT_IN = words_of(
    "admin administrator administrateur administrador root system localsystem guest invité gast sa sys postgres oracle mysql "
    "www-data apache nginx daemon nobody anonymous everyone default public service localservice networkservice network "
    "local self test user users username me you us"
)

ORDINARY = words_of(
    "a an the and or of to in on at for from with without by as is are was were be been has have had not no nor can cannot "
    "can't could will would should must may does did do doesn't didn't it its this that these those my your his her our "
    "their id ids name names page pages form field fields box screen prompt window dialog error errors failure failures "
    "failed fail fails issue issues problem problems attempt attempts request requests details data info information list "
    "group groups role roles rights access account accounts profile profiles settings setting management manager portal "
    "interface session sessions script scripts server servers service services button link process history policy policies "
    "status type format required missing invalid incorrect wrong unknown expired locked disabled enabled blocked active "
    "inactive created deleted removed added changed reset unlocked renamed unable reports reported says said wants needs "
    "gets got sees tried trying unchanged works working worked correct valid already again still after before since when "
    "while because then than where how why what who which only also both any all each every other another new old same "
    "different first last next bloqué verrouillé désactivé activé expiré supprimé inconnu incorrect invalide erroné oublié "
    "impossible refusé créé actif utilisateur utilisateurs administrateur local locale domaine réseau personnel client "
    "clients fournisseur générique est sont était ne n'est pas plus dans sur avec sans pour par de du des le la les un une "
    "et ou où qui que sa son ses mon ma gesperrt deaktiviert abgelaufen unbekannt falsch ungültig nicht ist sind war wird "
    "wurde kann und oder der die das dem den ein eine im in auf mit von für bei bloqueado bloqueada desactivado caducado "
    "desconocido incorrecto no es está del el los las en con por para y o bloccato scaduto disattivato errato non di della "
    "il lo gli è e conta bloqueada expirada não da do em com geblokkeerd verlopen onbekend onjuist niet het een van de op "
    "met voor entra azure active directory windows microsoft google office exchange outlook citrix sap vpn wifi email mail "
    "e-mail broken slow stuck refused impossible suspended terminated down lost ok okay fine good bad possible needed "
    "available unavailable necessary successful unsuccessful done pending open closed resolved denied rejected lent lente "
    "cassé perdu lento kaputt langsam defekt traag kapot roto rotto quebrado number code credentials password passwords "
    "token prompts loop loops via using mapping creation migration validation authentication authorization permission "
    "permissions experience training guide manual device devices computer phone http https tcp udp tls ssl null none true "
    "false empty yes ok n/a na"
)

# Behind an initial that is a vowel or makes a word's beginning: asmith, pmartin.
FAMILY_NAMES = words_of(
    "smith jones brown williams wilson taylor davies davis evans thomas johnson roberts walker wright robinson thompson hughes "
    "edwards miller martin jackson harris clark lewis young allen hernandez lopez gonzalez garcia rodriguez martinez perez "
    "sanchez ramirez torres nguyen anderson moore lee white king scott adams baker nelson mitchell campbell carter phillips "
    "parker collins stewart murphy cook rogers morgan cooper peterson reed bailey kelly howard ward watson wood bennett gray "
    "hughes myers foster sanders ross bernard dubois thomas robert richard petit durand leroy moreau simon laurent lefebvre "
    "michel david bertrand roux vincent fournier morel girard andre mercier dupont lambert bonnet francois legrand garnier "
    "faure rousseau blanc guerin boyer muller mueller schmidt schneider fischer weber meyer wagner becker schulz hoffmann "
    "koch bauer richter klein wolf schroeder neumann schwarz zimmermann braun krueger hofmann hartmann lange werner krause "
    "lehmann maier koehler herrmann rossi russo ferrari esposito bianchi romano colombo ricci marino greco silva santos "
    "oliveira souza pereira ferreira costa jansen devries bakker visser smit meijer mulder janssen patel singh kumar sharma "
    "khan gupta chen wang zhang kowalski novak ivanov petrov"
)
