-- ARGV: group, JSON array of messages -> how many were new
local added = 0
for _, message in ipairs(cjson.decode(ARGV[2])) do added = added + put(message) end
return added
